"""Checkers of namespaces that fetch tokens as ServiceAccounts: another role is taken over, a lost one reported."""

from collections.abc import Iterable, Iterator

from testsupport.simulation.check_tokens import unwritable
from testsupport.simulation.record import CONTROLLER, Period, Record
from testsupport.simulation.roles import spans
from testsupport.simulation.years.accounts import ROUND, WATCHED
from testsupport.simulation.years.drawing import World
from testsupport.simulation.years.obstacles import honest
from testsupport.virtual_time import MINUTE

_READ_WITHIN = 2 * ROUND.total_seconds()
"""A round in which none had to be read, and one in which each is that is not watched."""
_RETRIES = 10 * MINUTE
"""The longest retry of what needs somebody to act, that of anything else, and a little."""


def follows_roles(world: World, record: Record) -> Iterator[str]:
    """Report each namespace that has tokens of a former role although it had the time to fetch others."""
    for name, role, at in _judged(world, record):
        secret = record.secret_at(name, at)
        tokens = [record.issued.get(auth) for auth in secret.auths.values()] if secret and secret.managed else []
        if role and any(token is not None and f" {role} " not in token.key for token in tokens):
            yield f"{name} at {at:.0f}: the ServiceAccount has {role}, and the Secret tokens of another one"


def reports_lost_roles(world: World, record: Record) -> Iterator[str]:
    """Report each namespace of whose ServiceAccount nothing was said although it had no role."""
    for name, role, at in _judged(world, record):
        if role:
            continue
        states = [each for each in record.state_changes[name] if each[0] <= at]
        since = max((moment for moment, state in states if state == "ready"), default=0.0)
        if states and states[-1][1] == "ready":
            yield f"{name} at {at:.0f}: the ServiceAccount has no role, and the metric says that it is ready"
        elif "TokenFetchFailed" not in {reason for said, reason, _ in record.events_said(name) if since <= said <= at}:
            yield f"{name} at {at:.0f}: the ServiceAccount has no role, and no Event says so"


def _judged(world: World, record: Record) -> Iterator[tuple[str, str, float]]:
    """Yield a namespace, the role of its ServiceAccount, and when that had to be known and acted upon at the latest."""
    faults = world.run.faults
    for name in honest(record):
        asked = list(spans(record, name))
        hindered = [*_hindrances(record, name), *faults.registries] if asked else []
        for role, start, until in asked:
            at = _first_calm(start, until, hindered, record.relist_interval + _RETRIES)
            is_told = WATCHED in world.traits and not _overlaps(faults.unwatchable, start, at or until)
            if not is_told:
                at = _first_calm(start, until, hindered, record.relist_interval + _RETRIES + _READ_WITHIN)
            if at is not None:
                yield name, role, at


def _hindrances(record: Record, name: str) -> Iterator[Period]:
    """Yield what keeps a Secret from being rotated; whatever others have made of it begins anew."""
    yield from (*record.kube_down, *record.controller_down, *record.aws_down, *unwritable(record, name))
    yield from record.obstacles_of(name)
    yield from (period for region in record.revoked for period in record.refused(region))
    for version in record.secrets.get(name, ()):
        if version.writer != CONTROLLER:
            yield Period(start=version.at, end=version.at)


def _first_calm(start: float, until: float, hindered: Iterable[Period], seconds: float) -> float | None:
    """Return when nothing has hindered for so many seconds for the first time, None if it never comes to that."""
    for period in sorted(hindered, key=lambda period: period.start):
        if period.start - start > seconds or period.start >= until:
            break
        start = max(start, period.end)
    return start + seconds if start + seconds < until else None


def _overlaps(periods: Iterable[Period], start: float, end: float) -> bool:
    return any(each.start <= end and each.end >= start for each in periods)
