"""The checker of the last invariant: what keeps a request from being met is said, truly and soon."""

from collections.abc import Iterator, Sequence

from testsupport.simulation.record import Period, Record
from testsupport.simulation.roles import without_role
from testsupport.simulation.years.drawing import World
from testsupport.simulation.years.obstacles import honest, requests, serves
from testsupport.virtual_time import MINUTE

_SOON = 7 * MINUTE
"""A minute, and the longest retry of what needs somebody to act."""
_CAUSES = {
    "quota": {"QuotaExceeded"},
    "policy": {"AdmissionRefused"},
    "webhook": {"AdmissionRefused"},
    "no right": {"KubernetesDenied"},
    "webhook away": {"AdmissionRefused"},
    "delete": {"WritesReverted"},
    "revert": {"WritesReverted"},
    "AccessDenied": {"AccessDenied"},
    "no role": {"TokenFetchFailed"},
}
"""Reasons of Events that name the true cause, where it is known; `TokenFetchFailed` is for the others at AWS."""
_Said = tuple[float, str, str]
_WARNINGS = {
    "InvalidAnnotation",
    "RoleNotAllowed",
    "AccessDenied",
    "TokenFetchFailed",
    "RegistryRejected",
    "SecretConflict",
    "QuotaExceeded",
    "AdmissionRefused",
    "WritesReverted",
    "KubernetesDenied",
    "ServiceAccountNotFound",
}


def no_silence(_: World, record: Record) -> Iterator[str]:
    """Report each request that was not met for long without an Event in the namespace and a warning in the log."""
    for name in honest(record):
        events = list(record.events_said(name))
        for start, end in _unmet(record, name):
            yield from _unsaid(record, name, events, start, end)


def _unsaid(record: Record, name: str, events: Sequence[_Said], start: float, end: float) -> Iterator[str]:
    since = _last_ready(record, name, start)
    until = start + _SOON + record.relist_interval
    if end < until or any(each.start <= until and each.end >= start for each in _nobody_could_say(record)):
        return
    said = {reason for at, reason, kind in events if since <= at <= until and kind == "Warning"}
    if not said & _WARNINGS:
        yield f"{name}: not served from {start:.0f} to {end:.0f}, and no Event says why"
    causes = {each.reason for each in _hindrances(record, name) if each.start <= start and each.end >= until}
    expected = [_CAUSES[cause] for cause in causes if cause in _CAUSES]
    if len(causes) == 1 and expected and not said & expected[0]:
        yield f"{name}: not served from {start:.0f} because of {causes.pop()}, and Events say {sorted(said)}"
    warned = [line for line in record.log_lines if line.level != "INFO" and since <= line.at <= until]
    if not any(f"namespace/{name}" in line.text or name in line.text for line in warned):
        yield f"{name}: not served from {start:.0f} to {end:.0f}, and no line of the log warns of it"
    states = [state for at, state in record.state_changes[name] if at <= until]
    if states and states[-1] == "ready":
        yield f"{name}: not served from {start:.0f} to {end:.0f}, and the metric says that it is ready"


def _unmet(record: Record, name: str) -> Iterator[tuple[float, float]]:
    """Yield from when to when a namespace was without valid tokens for what it had asked for."""
    for hosts, asked, until in requests(record, name):
        at = asked
        moments = [each.at for each in record.secrets.get(name, ()) if asked < each.at < until]
        expiries = [
            token.expires_at
            for each in record.secrets.get(name, ())
            for auth in each.auths.values()
            if (token := record.issued.get(auth)) and asked < token.expires_at < until
        ]
        begun: float | None = None
        for at in sorted({asked, *moments, *expiries}):
            served = serves(record, record.secret_at(name, at), hosts, at)
            if served and begun is not None:
                yield begun, at
            begun = None if served else begun if begun is not None else at
        if begun is not None:
            yield begun, until


def _last_ready(record: Record, name: str, at: float) -> float:
    """Return since when it has not been ready; while the same failure lasts, it is logged only once."""
    return max(
        (moment for moment, state in record.state_changes[name] if moment <= at and state == "ready"), default=0.0
    )


def _nobody_could_say(record: Record) -> list[Period]:
    return [*record.kube_down, *record.controller_down]


def _hindrances(record: Record, name: str) -> list[Period]:
    return [*record.aws_down, *record.obstacles_of(name), *without_role(record, name)]
