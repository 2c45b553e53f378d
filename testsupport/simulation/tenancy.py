"""An honest population, alone and with hostile namespaces beside it: two runs of one seed, otherwise equal."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from pullkeeper.domain.config.policy import Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.geography import Geography
from testsupport.simulation.hostile import OWN_ROLE, ROLE_KEY, hostilities, pretence, reform, usurpation
from testsupport.simulation.record import Record
from testsupport.simulation.script import Action, act_on, misconfigure, opt_in, opt_out
from testsupport.simulation.world import Restart, Run, simulate
from testsupport.virtual_time import HOUR, MINUTE

END = 24 * HOUR
"""Four rotations of each Secret."""
_LAST = END - 7 * HOUR
"""Nobody does anything after this, so that every Secret is rotated once more in peace."""
_HOSTILE = ("hostile-0", "hostile-1", "hostile-2")
_LEAVER = "leaver"
_LEAVES_AT = 9 * HOUR
_PRETENDER = "pretender"
_TEAMS = 12
_ACCOUNT = "111111111111"
_PUBLIC = "public.ecr.aws"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The two runs of a seed."""

    alone: Run
    beside: Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """What came of them."""

    alone: Record
    beside: Record


REFORMED = _HOSTILE
"""Hostile namespaces that ask for what they may have in the end."""
HOSTILE = (*_HOSTILE, _PRETENDER, _LEAVER)
"""Namespaces that are hostile, or were made anew by somebody hostile."""
NEVER_ENTITLED = (_PRETENDER, _LEAVER)
"""Namespaces to which no token may be given: one never opts in, the other's role trusts nobody any more."""


def pair(seed: int) -> Pair:
    """Draw the two runs of a seed."""
    rng = random.Random(f"honest {seed}")
    actions = _honest_actions(rng)
    restarts = [Restart(at=rng.uniform(HOUR, _LAST), gap=rng.choice((0.0, MINUTE)))]
    alone = Run(
        seed=seed,
        end=END,
        actions=actions,
        restarts=restarts,
        settings=Settings(policy=_policy(), relist_interval=timedelta(hours=1)),
        geography=_geography(),
    )
    moments = [action.at for action in actions if action.at < _LAST]
    hostile = _hostile_actions(random.Random(f"hostile {seed}"), moments)
    return beside(alone, hostile)


def beside(alone: Run, hostile: Sequence[Action]) -> Pair:
    """Return a run, and the same one with hostile actions."""
    together = sorted([*alone.actions, *hostile], key=lambda action: action.at)
    return Pair(alone=alone, beside=replace(alone, actions=together))


def run(both: Pair) -> Records:
    """Run them both."""
    return Records(alone=simulate(both.alone), beside=simulate(both.beside))


def _team(number: int) -> str:
    return f"team-{number}"


def _role(name: str) -> str:
    return f"arn:aws:iam::{_ACCOUNT}:role/{name}"


def _host(region: str) -> str:
    return f"{_ACCOUNT}.dkr.ecr.{region}.amazonaws.com"


_HOSTS = (
    (_host("eu-west-1"),),
    (_host("eu-central-1"),),
    (_host("eu-west-1"), _host("us-east-1"), _PUBLIC),
    (f"{_ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com", _host("us-east-1")),
    (f"{_ACCOUNT}.dkr-ecr.eu-central-1.on.aws",),
    (_host("ap-southeast-2"), _host("us-west-2")),
)


def _policy() -> Policy:
    own = [
        RoleGrant(role=_role(_team(number)), namespaces=Matcher(names=(_team(number),)), session_tags=number % 8 == 1)
        for number in range(_TEAMS)
    ]
    hostile = RoleGrant(role=f"{OWN_ROLE}*", namespaces=Matcher(names=("hostile-*",)), external_id="hostile")
    return Policy(roles=(*own, hostile), service_accounts=Grant())


def _geography() -> Geography:
    trust = {_role(_team(number)): frozenset({"controller", f"{_team(number)}/puller"}) for number in range(_TEAMS)}
    trust[_role(_LEAVER)] = frozenset({f"{_LEAVER}/puller"})
    trust[OWN_ROLE] = frozenset({"controller", *(f"{name}/*" for name in _HOSTILE)})
    return Geography(
        trust=trust,
        silent=frozenset({"ap-northeast-3", "cn-north-1"}),
        silent_dual_stack=frozenset({"eu-west-1"}),
    )


def _honest_actions(rng: random.Random) -> list[Action]:
    actions = [action for number in range(_TEAMS) for action in _honest(rng, number)]
    actions += _with_account(0.5, _LEAVER, ("eu-west-1",))
    actions.append(act_on(_LEAVES_AT, "end", _LEAVER))
    actions += [act_on(number * 4 * HOUR, "measure", "") for number in range(1, int(END / HOUR / 4))]
    actions.append(Action(at=_LEAVES_AT, do="distrust", name=_LEAVER, account=_role(_LEAVER)))
    return sorted(actions, key=lambda action: action.at)


def _honest(rng: random.Random, number: int) -> list[Action]:
    """Opt in at the start or later, with an identity of its own or the controller's; some need a repair later."""
    name, hosts = _team(number), _HOSTS[number % len(_HOSTS)]
    at = rng.choice((rng.uniform(0, MINUTE), rng.uniform(0, _LAST)))
    later = rng.uniform(at, _LAST)
    wanted = [opt_in(at, name, *hosts)]
    if number % 4 == 1:
        wanted = [_as(wanted[0], "role-arn", _role(name))]
    if number % 4 == 3:
        wanted = [*_account_of(at, name), _as(wanted[0], "service-account-name", "puller")]
    events: tuple[list[Action], ...] = (
        [],
        [act_on(later, rng.choice(("delete", "edit", "garble-annotations")), name)],
        [misconfigure(later, name, {"enabled": "true", "registries": "docker.io"})],
        [opt_out(later, name)],
    )
    return [*wanted, *rng.choice(events)]


def _as(action: Action, key: str, value: str) -> Action:
    return replace(action, annotations=(*action.annotations, (key, value)))


def _with_account(at: float, name: str, regions: tuple[str, ...]) -> list[Action]:
    wanted = opt_in(at, name, *map(_host, regions))
    return [*_account_of(at, name), _as(wanted, "service-account-name", "puller")]


def _account_of(at: float, name: str) -> list[Action]:
    """Make the namespace, and the ServiceAccount in it."""
    role = ((ROLE_KEY, _role(name)),)
    return [opt_out(at, name), Action(at=at, do="account", name=name, account="puller", annotations=role)]


def usurped(rng: random.Random) -> list[Action]:
    """Let somebody else take over the name of the tenant that leaves."""
    return usurpation(rng, _LEAVES_AT + 21 + rng.uniform(0, HOUR), _LEAVER, "puller")


def _hostile_actions(rng: random.Random, moments: Sequence[float]) -> list[Action]:
    actions = hostilities(rng, _HOSTILE, moments, until=_LAST)
    actions += [action for name in _HOSTILE for action in reform(_LAST, name)]
    actions += usurped(rng)
    return [*actions, *pretence(rng, rng.uniform(0, HOUR), _PRETENDER)]
