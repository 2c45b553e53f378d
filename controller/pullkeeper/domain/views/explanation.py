"""What the reasons of failures mean: for `pullkeeper check --explain` and docs/failures.md, from the same tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pullkeeper.domain.errors.aws_codes import AWS_CODES
from pullkeeper.domain.errors.causes import Cause
from pullkeeper.domain.errors.client_causes import CLIENT_CAUSES
from pullkeeper.domain.errors.failures import EXPLANATIONS, Failure, Reason
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.reporting.event_reasons import event_reason

ALL = "all"
_CAUSES = (*AWS_CODES.causes, *CLIENT_CAUSES.causes, *KUBERNETES_CAUSES.causes)
_PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "asked": "SERVICE at HOST",
        "operation": "OPERATION",
        "actions": "ecr:GetAuthorizationToken",
        "file": "FILE",
        "own": "…",
        "fips": "",
        "why": "…",
        "trusted": "the CA certificates in FILE",
        "proxy": "HOST:PORT",
        "status": "STATUS",
    }
)
_NAMES = {"*": "any other code", "2xx": "status 2xx", "3xx": "status 3xx", "4xx": "status 4xx", "5xx": "status 5xx"}
_RETRIES = (
    "retried after a second, then with exponential backoff up to a minute",
    "retried after 30 seconds, then every five minutes",
    "retried three times within seconds, then after 30 seconds, then every five minutes",
)


def causes_of(reason: Reason) -> Sequence[Cause]:
    """Return the causes that have a reason, in the order of the tables."""
    return [cause for cause in _CAUSES if cause.reason is reason]


def raised_by(cause: Cause) -> Sequence[str]:
    """Return the names of what is raised or answered."""
    names = [_NAMES.get(name, f"status {name}" if name.isdecimal() else name) for name in cause.raised]
    return [f"{name} to {' or '.join(cause.operations)}" if cause.operations else name for name in names]


def what(cause: Cause) -> str:
    """Return what happened, for any host and file."""
    return cause.what.format_map(_PLACEHOLDERS)


def fix(cause: Cause) -> str:
    """Return what to do about it."""
    return cause.fix.format_map(_PLACEHOLDERS)


def event(reason: Reason) -> str | None:
    """Return the Event that reports a reason; None if only the log does."""
    return event_reason(Failure(reason=reason, message=""))


def retries(reason: Reason) -> str:
    """Return how soon a failure is retried."""
    return _RETRIES[0 if not reason.requires_action else 2 if reason.may_pass else 1]


def parse(text: str) -> Sequence[Reason]:
    """Return the reason of that name, or all; raise InvalidInputError that lists the known ones."""
    if text == ALL:
        return list(EXPLANATIONS)
    found = [reason for reason in Reason if reason.value.lower() == text.lower()]
    if not found:
        known = ", ".join((ALL, *Reason))
        raise InvalidInputError([Problem(where="--explain", found=quoted(text), expected=f"one of {known}")])
    return found


def as_text(reasons: Iterable[Reason]) -> str:
    """Return everything about reasons, for people."""
    return "\n\n".join("\n".join(_lines(reason)) for reason in reasons)


def as_document(reasons: Iterable[Reason]) -> Mapping[str, object]:
    """Return everything about reasons, for machines."""
    return {"reasons": [_document(reason) for reason in reasons]}


def _lines(reason: Reason) -> Iterator[str]:
    explanation = EXPLANATIONS[reason]
    yield f"{reason}: {explanation.meaning}"
    yield f"  fix: {explanation.fix}"
    yield f"  who has to act: {explanation.actor}"
    yield f"  retries: {retries(reason)}"
    yield f"  Event: {event(reason) or 'none, the log only'}"
    for cause in causes_of(reason):
        yield f"  - {', '.join(raised_by(cause))}: {what(cause)}"
        yield f"    fix: {fix(cause)} (who: {cause.who})"


def _document(reason: Reason) -> Mapping[str, object]:
    explanation = EXPLANATIONS[reason]
    causes = [
        {"raised": raised_by(cause), "meaning": what(cause), "fix": fix(cause), "actor": cause.who}
        for cause in causes_of(reason)
    ]
    return {
        "reason": reason,
        "meaning": explanation.meaning,
        "fix": explanation.fix,
        "actor": explanation.actor,
        "retries": retries(reason),
        "event": event(reason),
        "causes": causes,
    }
