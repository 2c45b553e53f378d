"""Two more kinds of drawn worlds: replicas that elect a leader, and a crowd whose rotations are all overdue."""

import random
from dataclasses import replace

from pullkeeper.domain.config.settings import parse_settings
from testsupport.simulation.faults import FREQUENT, Faults, draw_faults, moments
from testsupport.simulation.geography import Geography
from testsupport.simulation.record import Period
from testsupport.simulation.script import HOSTS, REGIONS, Action, opt_in, season
from testsupport.simulation.world import Restart, Run
from testsupport.virtual_time import HOUR, MINUTE

REPLICAS = "replicas"
CROWD = "crowd"
_CROWD = 120
_NEW = 8
_AWAY = 8 * HOUR


def draw_replicas(seed: int) -> Run:
    """Draw half a day of two replicas, tokens of one hour, and a network that keeps cutting one of them off."""
    rng, end = random.Random(f"replicas {seed}"), 8 * HOUR
    until = end - 3 * HOUR
    faults = draw_faults(rng, until=until, regions=REGIONS, every=8 * HOUR)
    faults.rates, faults.life = FREQUENT, HOUR
    document = {"leaderElection": True, "leaseDuration": "60s", "relistInterval": "10m"}
    cuts = tuple(
        tuple(
            Period(start=at, end=min(at + rng.choice((5.0, 45.0, 3 * MINUTE, 20 * MINUTE)), until))
            for at in moments(rng, until, every=HOUR)
        )
        for _ in range(2)
    )
    return Run(
        seed=seed,
        end=end,
        actions=season(rng, namespaces=4, until=until, every=HOUR, most_hosts=2),
        faults=faults,
        restarts=[Restart(at=at, gap=rng.choice((0.0, 20.0))) for at in moments(rng, until, every=2 * HOUR)],
        settings=parse_settings(document, {}),
        at_once=2,
        cuts=cuts,
        with_permissions=True,
    )


def _as_role(action: Action, role: tuple[str, str]) -> Action:
    return replace(action, annotations=(*action.annotations, role))


def draw_crowd(seed: int) -> Run:
    """Draw a crowd that is overdue when the controller comes back, and new namespaces that opt in just then.

    Each has a role of its own, so that each needs a call to AWS of its own, too.
    """
    rng = random.Random(f"crowd {seed}")
    names = [f"team-{number}" for number in range(_CROWD)] + [f"new-{number}" for number in range(_NEW)]
    document = {
        "roles": [{"role": "arn:aws:iam::111111111111:role/team", "namespaces": ["*"], "sessionTags": True}],
        "maxConcurrentReconciles": 2,
        "relistInterval": "24h",
    }
    back = HOUR + _AWAY
    opt_ins = [(rng.uniform(0, MINUTE), name) for name in names[:_CROWD]]
    opt_ins += [(back + 2 + number * rng.uniform(0.2, 1.0), name) for number, name in enumerate(names[_CROWD:])]
    role = ("role-arn", "arn:aws:iam::111111111111:role/team")
    return Run(
        seed=seed,
        end=back + HOUR,
        actions=[_as_role(opt_in(at, name, rng.choice(HOSTS[:2])), role) for at, name in sorted(opt_ins)],
        faults=Faults(latency=0.3, watch_seconds=24 * HOUR),
        geography=Geography(trust={role[1]: frozenset({"controller"})}),
        restarts=[Restart(at=HOUR, gap=_AWAY)],
        settings=parse_settings(document, {}),
        with_permissions=True,
    )
