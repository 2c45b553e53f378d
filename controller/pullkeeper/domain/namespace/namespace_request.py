"""What a Namespace asks for, and since when, as one look at its metadata tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pullkeeper.domain.kube.timestamps import parse_timestamp
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceRequest:
    """A Namespace, and since when it asks for just this."""

    namespace: ObservedNamespace
    first_requested_at: datetime | None


def namespace_request(metadata: Mapping[str, Any]) -> NamespaceRequest:
    """Translate a Namespace's metadata; who wrote our annotations when is in the API server's own bookkeeping."""
    view = observe_namespace(metadata)
    return NamespaceRequest(
        namespace=view,
        first_requested_at=_since(metadata) if view.is_requested else _time(metadata.get("creationTimestamp")),
    )


def _since(metadata: Mapping[str, Any]) -> datetime | None:
    """Tell when our annotations were last written, or when the Namespace was made."""
    times = [_time(entry.get("time")) for entry in metadata.get("managedFields") or () if _writes_ours(entry)]
    return max(filter(None, times), default=_time(metadata.get("creationTimestamp")))


def _writes_ours(entry: Mapping[str, Any]) -> bool:
    fields = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
    return any(key.startswith(f"f:{PREFIX}") for key in fields)


def _time(text: str | None) -> datetime | None:
    return parse_timestamp(text) if text else None
