"""What people do to a cluster over the months: a list of acts, drawn once from a seed and the same in any weather."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from testsupport.simulation.record import Wish
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
class Act:
    """One thing that somebody does to one namespace, at that second of the run."""

    at: float
    do: str
    name: str
    wish: Wish = Wish.OUT
    hosts: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


def asking(at: float, name: str, *hosts: str, refresh: str | None = None) -> Act:
    """Opt a namespace in, for these hosts; it is created if it is not there."""
    annotations = {
        "enabled": "true",
        "registries": ",".join(hosts),
        **({"refresh-requested-at": refresh} if refresh else {}),
    }
    return _annotating(at, name, Wish.IN, tuple(sorted(hosts)), annotations)


def leaving(at: float, name: str) -> Act:
    """Opt a namespace out."""
    return _annotating(at, name, Wish.OUT, (), {"enabled": "false"})


def erring(at: float, name: str, annotations: dict[str, str]) -> Act:
    """Write annotations that are wrong."""
    return _annotating(at, name, Wish.INVALID, (), annotations)


def doing(at: float, do: str, name: str) -> Act:
    """Do something to the namespace's Secret, or end the namespace."""
    return Act(at=at, do=do, name=name)


WRONG: tuple[dict[str, str], ...] = (
    {"enabled": "yes"},
    {"enabled": "true", "registries": "docker.io"},
    {"enabled": "true", "registries": f"{HOSTS[0]}, https://{HOSTS[1]}/app"},
    {"enabled": "true", "registries": HOSTS[0], "registry": HOSTS[1]},
    {"enabled": "true", "registries": ""},
)

TAMPERING = ("delete", "edit", "edit-annotations", "garble-annotations", "strip", "replace", "freeze")
MENDING = ("free", "end")


def season(chance: random.Random, *, namespaces: int, until: float, every: float = 2 * DAY) -> list[Act]:
    """Draw the acts of a whole season: each namespace is touched about once in `every` seconds, and mended after."""
    acts: list[Act] = []
    for number in range(namespaces):
        name = f"team-{number}"
        acts.append(_opting(chance, chance.uniform(0, HOUR), name))
        at = chance.expovariate(1 / every)
        while at < until - 2 * HOUR:
            acts += _something(chance, at, name)
            at += chance.expovariate(1 / every)
        acts += _coming_to_rest(chance, until, name)
    return sorted(acts, key=lambda act: act.at)


def _opting(chance: random.Random, at: float, name: str, refresh: str | None = None) -> Act:
    return asking(at, name, *chance.sample(HOSTS, chance.randint(1, 4)), refresh=refresh)


def _something(chance: random.Random, at: float, name: str) -> list[Act]:
    later = at + chance.choice((1.0, 10.0, 5 * MINUTE, HOUR))
    things: list[Callable[[], list[Act]]] = [
        lambda: [_opting(chance, at, name)],
        lambda: [_opting(chance, at, name, refresh=f"at {at:.0f}")],
        lambda: [leaving(at, name)],
        lambda: [leaving(at, name), _opting(chance, later, name)],
        lambda: [erring(at, name, chance.choice(WRONG))],
        lambda: [erring(at, name, chance.choice(WRONG)), _opting(chance, later, name)],
        lambda: [doing(at, "end", name), _opting(chance, later + MINUTE, name)],
        lambda: [doing(at, chance.choice(TAMPERING), name)],
        lambda: [doing(at, chance.choice(TAMPERING), name), doing(later, "free", name)],
    ]
    return chance.choice(things)()


def _coming_to_rest(chance: random.Random, until: float, name: str) -> list[Act]:
    """Settle what the season left, so that the end is the same whatever the weather was."""
    last = [doing(until - HOUR, "free", name), _opting(chance, until - HOUR / 2, name)]
    ends: list[list[Act]] = [
        [],
        [leaving(until - MINUTE, name)],
        [doing(until - MINUTE, "end", name)],
        [doing(until - MINUTE, "replace", name)],
        [doing(until - MINUTE, "delete", name)],
        [erring(until - MINUTE, name, WRONG[0])],
    ]
    return last + chance.choice(ends)


def _annotating(at: float, name: str, wish: Wish, hosts: tuple[str, ...], annotations: dict[str, str]) -> Act:
    return Act(at=at, do="annotate", name=name, wish=wish, hosts=hosts, annotations=tuple(annotations.items()))
