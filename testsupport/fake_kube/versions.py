"""One stored version of an object, with its encodings kept, and the log of changes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from testsupport.fake_kube.objects import Key, Object, key_of
from testsupport.fake_kube.resources import Resource

PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'


def dumps(value: Any) -> bytes:
    """Encode JSON without blanks, as the server does."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Version:
    """An object as it was at one resourceVersion; immutable, so encoded once per form."""

    __slots__ = ("_encoded", "key", "object", "resource_version")

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self.key: Key = key_of(obj)
        self.resource_version = int(obj["metadata"].get("resourceVersion", 0))
        self._encoded: dict[str, bytes] = {}

    def partial(self) -> bytes:
        """Encode as PartialObjectMetadata."""
        return self._keep("partial", lambda: PARTIAL + dumps(self.object["metadata"]) + b"}")

    def item(self, resource: Resource) -> bytes:
        """Encode as an item of a list: without kind and apiVersion."""
        return self._keep(resource.group + "/item", lambda: b"{" + self._body(resource))

    def full(self, resource: Resource) -> bytes:
        """Encode as an object that stands alone."""
        return self._keep(resource.group + "/full", lambda: type_prefix(resource) + self._body(resource))

    def _keep(self, form: str, encode: Any) -> bytes:
        if form not in self._encoded:
            self._encoded[form] = encode()
        return self._encoded[form]

    def _body(self, resource: Resource) -> bytes:
        shown = resource.from_storage(self.object)
        return dumps({name: value for name, value in shown.items() if name not in ("kind", "apiVersion")})[1:]


def type_prefix(resource: Resource) -> bytes:
    """Open an object with its kind and apiVersion."""
    return dumps({"kind": resource.kind, "apiVersion": resource.api_version})[:-1] + b","


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a resource's log: what a watch would tell."""

    type: str
    version: Version
    previous: Version | None
    time: datetime
    swallowed: bool = False

    @property
    def object(self) -> Object:
        """Give the object: for DELETED the last state, with the deletion's resourceVersion."""
        return self.version.object

    @property
    def resource_version(self) -> int:
        """Give the resourceVersion of the change."""
        return self.version.resource_version


@dataclass(slots=True)
class Collection:
    """All objects of one resource, now, and everything that ever happened to them."""

    current: dict[Key, Version] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    order: list[Key] | None = None
    compacted: int = 0
    """Changes up to this resourceVersion are no longer to be had."""

    def record(self, change: Change) -> None:
        """Take a change into the present state and the log."""
        if change.type == "DELETED":
            self.current.pop(change.version.key, None)
        else:
            self.current[change.version.key] = change.version
        if change.type != "MODIFIED":
            self.order = None
        self.log.append(change)

    def sorted(self) -> list[Version]:
        """List the present objects in the order of their keys."""
        if self.order is None:
            self.order = sorted(self.current, key=Key.path)
        return [self.current[key] for key in self.order]

    def at(self, resource_version: int) -> list[Version]:
        """List the objects as they were at a resourceVersion, by undoing what came later."""
        state: dict[Key, Version | None] = dict(self.current)
        for change in self.since(resource_version, newest_first=True):
            state[change.version.key] = change.previous
        return sorted((version for version in state.values() if version), key=lambda v: v.key.path())

    def since(self, resource_version: int, *, newest_first: bool = False) -> Iterator[Change]:
        """Go through the changes after a resourceVersion."""
        start = self.position(resource_version)
        return iter(self.log[start:][::-1] if newest_first else self.log[start:])

    def position(self, resource_version: int) -> int:
        """Find the index in the log of the first change after a resourceVersion."""
        low, high = 0, len(self.log)
        while low < high:
            middle = (low + high) // 2
            if self.log[middle].resource_version <= resource_version:
                low = middle + 1
            else:
                high = middle
        return low


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The state of a store at one time."""

    revision: int
    collections: Mapping[str, Collection]


def copies(collections: Mapping[str, Collection]) -> dict[str, Collection]:
    """Copy collections, so that what is recorded in the copies leaves the originals as they are."""
    return {
        name: replace(each, current=dict(each.current), log=list(each.log), order=None)
        for name, each in collections.items()
    }
