"""ServiceAccounts that namespaces of drawn worlds fetch tokens as: how they are watched, and what becomes of them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.hostile import ROLE_KEY
from testsupport.simulation.record import Period
from testsupport.simulation.script import Action
from testsupport.virtual_time import HOUR, MINUTE

WATCHED = "watched ServiceAccounts"
POLLED = "polled ServiceAccounts"
NAME = "puller"
ROUND = timedelta(hours=1)
"""How often each ServiceAccount is read that is not watched: more often than tokens are rotated."""
_WAYS: tuple[dict[str, Any], ...] = (
    {"watchedServiceAccounts": [NAME, "builder"]},
    {"watchedServiceAccounts": [NAME]},
    {"watchedServiceAccounts": ["*"]},
    {},
    {},
)
_AS_ACCOUNT = {"service-account-name": NAME}
_WHILE = (MINUTE, HOUR, 9 * HOUR)
"""For how long a ServiceAccount has no role."""
_LAST = 40 * MINUTE
"""Seconds before the end of the actions at which each has its role again, whatever was restored."""


def role(name: str) -> str:
    """Return the role of a namespace."""
    return f"arn:aws:iam::111111111111:role/{name}"


def other_role(name: str) -> str:
    """Return the other role that its ServiceAccount has at times."""
    return f"{role(name)}-other"


def draw_way(rng: random.Random) -> Mapping[str, Any]:
    """Draw which ServiceAccounts are watched, as the settings say it."""
    return rng.choice(_WAYS)


def draw_asking(rng: random.Random, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Draw whom each namespace asks as: two of three as their ServiceAccount, the third as a role."""
    first = rng.randrange(3)
    return {
        name: _AS_ACCOUNT if (first + number) % 3 else {"role-arn": role(name)} for number, name in enumerate(names)
    }


def askers(asking: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the namespaces that ask as their ServiceAccounts."""
    return [name for name, kind in asking.items() if kind == _AS_ACCOUNT]


def traits(settings: Settings, asking: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return how the ServiceAccounts are known that somebody asks as."""
    if not askers(asking):
        return frozenset()
    return frozenset({WATCHED if settings.watched_names or settings.service_account_attachment else POLLED})


def account(at: float, name: str, found: str, do: str = "account") -> Action:
    """Make the ServiceAccount of a namespace anew, with a role."""
    return Action(at=at, do=do, name=name, account=NAME, annotations=((ROLE_KEY, found),))


def draw_denials(rng: random.Random, starts: Sequence[float], until: float) -> list[Period]:
    """Draw when ServiceAccounts may not be watched: each is tried again every few seconds, so it is not for long."""
    lengths = (MINUTE, HOUR, 12 * HOUR)
    return [Period(start=start, end=min(start + rng.choice(lengths), until)) for start in starts]


def fates(
    rng: random.Random, names: Sequence[str], moments: Sequence[float], denials: Sequence[Period], until: float
) -> Iterator[Action]:
    """Draw what becomes of the ServiceAccounts of these namespaces, also while nobody may watch them."""
    for at in moments:
        yield from _fate(rng, at, rng.choice(names))
    for denial in denials:
        yield Action(at=denial.start + 1.0, do="watch-error", name="", text="500")
        yield from _fate(rng, denial.start + 2 * MINUTE, rng.choice(names))
    yield from (account(until - _LAST, name, role(name)) for name in names)


def _fate(rng: random.Random, at: float, name: str) -> Iterator[Action]:
    later = at + rng.choice(_WHILE)
    found = rng.choice((role(name), other_role(name)))
    kinds: tuple[Callable[[], list[Action]], ...] = (
        lambda: [_set_role(at, name, role(name)), _set_role(later, name, other_role(name))],
        lambda: [_set_role(at, name, ""), _set_role(later, name, found)],
        lambda: [_set_role(at, name, "admin"), _set_role(later, name, found)],
        lambda: [_drop(at, name), account(later, name, found, do="ensure-account")],
        lambda: [account(at, name, found)],
    )
    yield from rng.choice(kinds)()


def _set_role(at: float, name: str, found: str) -> Action:
    return Action(at=at, do="set-role", name=name, account=NAME, text=found)


def _drop(at: float, name: str) -> Action:
    return Action(at=at, do="drop-account", name=name, account=NAME)
