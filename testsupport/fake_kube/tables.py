"""Tables, as kubectl asks for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from testsupport.fake_kube.objects import Object, dig, metadata
from testsupport.fake_kube.resources import Resource
from testsupport.fake_kube.versions import Version


@dataclass(frozen=True, slots=True)
class Age:
    """Tells how long ago a moment was, as kubectl writes it."""

    now: datetime

    def since(self, moment: str | None) -> str:
        """Apply the time since an RFC 3339 moment: `45s`, `5m30s`, `3h`, `12d`."""
        if not moment:
            return "<unknown>"
        seconds = max(0, int((self.now - datetime.fromisoformat(moment)).total_seconds()))
        if seconds < 120:
            return f"{seconds}s"
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        if minutes < 10:
            return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
        if hours < 3:
            return f"{minutes}m"
        return f"{hours}h" if hours < 48 else f"{days}d"


Cells = Callable[[Object, Age], list[Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a resource; those with a star are shown with `-o wide` only."""

    columns: tuple[str, ...]
    cells: Cells


def _created(obj: Object, age: Age) -> str:
    return age.since(metadata(obj).get("creationTimestamp"))


def _plain(obj: Object, age: Age) -> list[Any]:
    return [metadata(obj)["name"], _created(obj, age)]


def _namespace(obj: Object, age: Age) -> list[Any]:
    return [metadata(obj)["name"], dig(obj, "status.phase"), _created(obj, age)]


def _secret(obj: Object, age: Age) -> list[Any]:
    return [metadata(obj)["name"], obj.get("type"), len(obj.get("data", {})), _created(obj, age)]


def _config_map(obj: Object, age: Age) -> list[Any]:
    entries = len(obj.get("data", {})) + len(obj.get("binaryData", {}))
    return [metadata(obj)["name"], entries, _created(obj, age)]


def _lease(obj: Object, age: Age) -> list[Any]:
    return [metadata(obj)["name"], dig(obj, "spec.holderIdentity") or "", _created(obj, age)]


def _event(obj: Object, age: Age) -> list[Any]:
    regarding, series, source = obj.get("involvedObject", {}), obj.get("series", {}), obj.get("source", {})
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    reporter = ", ".join(filter(None, (obj.get("reportingComponent"), obj.get("reportingInstance"))))
    return [
        age.since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{regarding.get('kind', '').lower()}/{regarding.get('name', '')}",
        regarding.get("fieldPath", ""),
        ", ".join(filter(None, (source.get("component"), source.get("host")))) or reporter,
        obj.get("message", "").strip(),
        age.since(first),
        series.get("count") or obj.get("count") or 1,
        metadata(obj)["name"],
    ]


EVENT_COLUMNS = (
    "Last Seen",
    "Type",
    "Reason",
    "Object",
    "Subobject*",
    "Source*",
    "Message",
    "First Seen*",
    "Count*",
    "Name*",
)
PLAIN = Layout(("Name", "Age"), _plain)
LAYOUTS = {
    "namespaces": Layout(("Name", "Status", "Age"), _namespace),
    "secrets": Layout(("Name", "Type", "Data", "Age"), _secret),
    "configmaps": Layout(("Name", "Data", "Age"), _config_map),
    "leases": Layout(("Name", "Holder", "Age"), _lease),
    "events": Layout(EVENT_COLUMNS, _event),
}


def table(resource: Resource, versions: Sequence[Version], list_metadata: Object, age: Age) -> Object:
    """Apply objects as a Table."""
    layout = LAYOUTS.get(resource.storage, PLAIN)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": [_column(name) for name in layout.columns],
        "rows": [_row(version, layout, age) for version in versions],
    }


def _column(name: str) -> Object:
    shown = name.rstrip("*")
    return {
        "name": shown,
        "type": "string",
        "format": "name" if shown == "Name" else "",
        "description": shown,
        "priority": int(name.endswith("*")),
    }


def _row(version: Version, layout: Layout, age: Age) -> Object:
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": version.object["metadata"]}
    return {"cells": layout.cells(version.object, age), "object": partial}
