"""What every module here shares about Kubernetes objects: the raw form, keys and timestamps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object as JSON: treated as immutable once it is stored."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where an object lives within its resource; cluster-scoped ones have an empty namespace."""

    namespace: str
    name: str

    def path(self) -> str:
        """Give the key as etcd orders it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def utcnow() -> datetime:
    """Tell the time in UTC, the default clock of the server."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Apply a metav1.Time: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: datetime) -> str:
    """Apply a metav1.MicroTime: exactly six digits of a second, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def metadata(obj: Object) -> Object:
    """Give an object's metadata, empty where it has none."""
    return obj.get("metadata") or {}


def key_of(obj: Object) -> Key:
    """Read the key from an object's metadata."""
    meta = metadata(obj)
    return Key(meta.get("namespace", ""), meta.get("name", ""))


def with_metadata(obj: Object, **changes: Any) -> Object:
    """Copy an object with some metadata fields set, or removed where the value is None."""
    meta = {**metadata(obj), **changes}
    return {**obj, "metadata": {name: value for name, value in meta.items() if value is not None}}


def dig(obj: Object, path: str) -> Any:
    """Follow a dotted path of field names; None where something is missing."""
    value: Any = obj
    for field in path.split("."):
        value = value.get(field) if isinstance(value, dict) else None
    return value
