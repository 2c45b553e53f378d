"""The controller's last warning about a namespace, read back from its Event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.kube.timestamps import parse_timestamp

REPORTER = "pullkeeper.dev/controller"
"""`reportingController` of the controller's Events."""

_CLOCK_SKEW = timedelta(minutes=5)
"""How far the controller's clock may be ahead of the reader's."""
# The API server's own limits of an Event's reason and note.
_MAX_REASON = 128
_MAX_NOTE = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class LastWarning:
    """A warning, with the time of its last occurrence."""

    namespace: str
    reason: str
    note: str
    at: datetime


def last_warning(event: Mapping[str, Any], now: datetime) -> LastWarning | None:
    """Parse an Event of events.k8s.io/v1; None for one that the controller cannot have posted by `now`.

    Whoever may create Events in a namespace may claim to be the controller: the text is escaped and shortened, and a
    time in the future would make it the last warning for ever.
    """
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime")
    try:
        at = parse_timestamp(last or event["metadata"]["creationTimestamp"])
    except ValueError:
        return None
    if at > now + _CLOCK_SKEW:
        return None
    return LastWarning(
        namespace=event["metadata"]["namespace"],
        reason=printable(event.get("reason") or "", _MAX_REASON),
        note=printable(event.get("note") or "", _MAX_NOTE),
        at=min(at, now),
    )
