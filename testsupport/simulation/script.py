"""What users do to the cluster: a list of actions drawn from a seed, independent of the faults of the run."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from testsupport.simulation.record import Status
from testsupport.virtual_time import DAY, HOUR, MINUTE

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2")
HOSTS = (
    *(
        f"{account}.dkr.ecr.{region}.amazonaws.com"
        for account in ("111111111111", "222222222222")
        for region in REGIONS
    ),
    "public.ecr.aws",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One change of one namespace by a user, `at` seconds into the run."""

    at: float
    do: str
    name: str
    status: Status = Status.OPTED_OUT
    hosts: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    account: str = ""
    """The ServiceAccount, or the role, that it is about."""
    text: str = ""
    """What else it says: a status code, a region, a principal, or a whole settings file."""
    forged: Mapping[str, object] = field(default_factory=dict, compare=False)
    """Fields of a Secret as somebody else than the controller writes it."""


def opt_in(at: float, name: str, *hosts: str, refresh: str | None = None) -> Action:
    """Opt a namespace in for these hosts; it is created if necessary."""
    annotations = {
        "enabled": "true",
        "registries": ",".join(hosts),
        **({"refresh-requested-at": refresh} if refresh else {}),
    }
    return _annotating(at, name, Status.OPTED_IN, tuple(sorted(hosts)), annotations)


def opt_out(at: float, name: str) -> Action:
    """Opt a namespace out."""
    return _annotating(at, name, Status.OPTED_OUT, (), {"enabled": "false"})


def misconfigure(at: float, name: str, annotations: dict[str, str]) -> Action:
    """Write invalid annotations."""
    return _annotating(at, name, Status.INVALID, (), annotations)


def act_on(at: float, do: str, name: str) -> Action:
    """Change the namespace's Secret, or terminate the namespace."""
    return Action(at=at, do=do, name=name)


WRONG: tuple[dict[str, str], ...] = (
    {"enabled": "yes"},
    {"enabled": "true", "registries": "docker.io"},
    {"enabled": "true", "registries": f"{HOSTS[0]}, https://{HOSTS[1]}/app"},
    {"enabled": "true", "registries": HOSTS[0], "registry": HOSTS[1]},
    {"enabled": "true", "registries": ""},
)

TAMPERING = ("delete", "edit", "edit-annotations", "garble-annotations", "strip", "replace", "freeze")


def season(
    rng: random.Random, *, namespaces: int, until: float, every: float = 2 * DAY, most_hosts: int = 4
) -> list[Action]:
    """Draw the actions of a run: each namespace is changed about once in `every` seconds, and settles at the end."""
    actions: list[Action] = []
    for number in range(namespaces):
        name = f"team-{number}"
        actions.append(_opting(rng, rng.uniform(0, HOUR), name, most_hosts))
        at = rng.expovariate(1 / every)
        while at < until - 2 * HOUR:
            actions += _something(rng, at, name, most_hosts)
            at += rng.expovariate(1 / every)
        actions += _coming_to_rest(rng, until, name, most_hosts)
    return sorted(actions, key=lambda act: act.at)


def _opting(rng: random.Random, at: float, name: str, most_hosts: int, refresh: str | None = None) -> Action:
    return opt_in(at, name, *rng.sample(HOSTS, rng.randint(1, most_hosts)), refresh=refresh)


def _something(rng: random.Random, at: float, name: str, most_hosts: int) -> list[Action]:
    later = at + rng.choice((1.0, 10.0, 5 * MINUTE, HOUR))
    things: list[Callable[[], list[Action]]] = [
        lambda: [_opting(rng, at, name, most_hosts)],
        lambda: [_opting(rng, at, name, most_hosts, refresh=f"at {at:.0f}")],
        lambda: [opt_out(at, name)],
        lambda: [opt_out(at, name), _opting(rng, later, name, most_hosts)],
        lambda: [misconfigure(at, name, rng.choice(WRONG))],
        lambda: [misconfigure(at, name, rng.choice(WRONG)), _opting(rng, later, name, most_hosts)],
        lambda: [act_on(at, "end", name), _opting(rng, later + MINUTE, name, most_hosts)],
        lambda: [act_on(at, rng.choice(TAMPERING), name)],
        lambda: [act_on(at, rng.choice(TAMPERING), name), act_on(later, "free", name)],
    ]
    return rng.choice(things)()


def _coming_to_rest(rng: random.Random, until: float, name: str, most_hosts: int) -> list[Action]:
    """Draw the last actions of a namespace, so that its end state does not depend on the faults."""
    last = [act_on(until - HOUR, "free", name), _opting(rng, until - HOUR / 2, name, most_hosts)]
    ends: list[list[Action]] = [
        [],
        [opt_out(until - MINUTE, name)],
        [act_on(until - MINUTE, "end", name)],
        [act_on(until - MINUTE, "replace", name)],
        [act_on(until - MINUTE, "delete", name)],
        [misconfigure(until - MINUTE, name, WRONG[0])],
    ]
    return last + rng.choice(ends)


def _annotating(at: float, name: str, status: Status, hosts: tuple[str, ...], annotations: dict[str, str]) -> Action:
    return Action(at=at, do="annotate", name=name, status=status, hosts=hosts, annotations=tuple(annotations.items()))
