"""What a Namespace requests and since when, from its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pullkeeper.domain.kube.timestamps import parse_timestamp
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceRequest:
    """A Namespace, and since when it has requested its current state."""

    namespace: ObservedNamespace
    first_requested_at: datetime | None
    """When our annotations were last written, else when the Namespace was created; None if unknown."""


def namespace_request(metadata: Mapping[str, Any]) -> NamespaceRequest:
    """Parse a Namespace's metadata; its managedFields tell when our annotations were written."""
    namespace = observe_namespace(metadata)
    return NamespaceRequest(
        namespace=namespace,
        first_requested_at=_annotated_at(metadata)
        if namespace.is_requested
        else _time(metadata.get("creationTimestamp")),
    )


def _annotated_at(metadata: Mapping[str, Any]) -> datetime | None:
    """Return when our annotations were last written, or when the Namespace was created."""
    times = [_time(entry.get("time")) for entry in metadata.get("managedFields") or () if _has_our_annotations(entry)]
    return max(filter(None, times), default=_time(metadata.get("creationTimestamp")))


def _has_our_annotations(entry: Mapping[str, Any]) -> bool:
    fields = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
    return any(key.startswith(f"f:{PREFIX}") for key in fields)


def _time(text: str | None) -> datetime | None:
    try:
        return parse_timestamp(text) if text else None
    except ValueError:
        return None
