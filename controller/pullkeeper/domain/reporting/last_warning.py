"""The controller's last warning about a namespace, read back from its Event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pullkeeper.domain.kube.timestamps import parse_timestamp

REPORTER = "pullkeeper.dev/controller"
"""`reportingController` of the controller's Events."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LastWarning:
    """A warning, with the time of its last occurrence."""

    namespace: str
    reason: str
    note: str
    at: datetime


def last_warning(event: Mapping[str, Any]) -> LastWarning:
    """Parse an Event of events.k8s.io/v1."""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("eventTime")
    return LastWarning(
        namespace=event["metadata"]["namespace"],
        reason=event.get("reason") or "",
        note=event.get("note") or "",
        at=parse_timestamp(last or event["metadata"]["creationTimestamp"]),
    )
