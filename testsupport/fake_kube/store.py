"""What etcd and the watch cache are to the real server: objects, one counter of versions, the log."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from testsupport.fake_kube import decoding, status
from testsupport.fake_kube.objects import Clock, Key, Object, key_of, rfc3339, utcnow, with_metadata
from testsupport.fake_kube.preparing import prepared_for_create
from testsupport.fake_kube.resources import BY_STORAGE, Resource, resource_of
from testsupport.fake_kube.versions import Backup, Change, Collection, Version, copies

Listener = Callable[[str, Change], None]


class Store:
    """The state of the cluster. Reading it is for assertions, writing for arranging things.

    Everything may be called from any thread. Objects that it hands out must not be changed.
    Its `create`, `replace` and `delete` go round authorization, validation and faults.
    """

    def __init__(self, *, clock: Clock = utcnow, history_limit: int = 2000) -> None:
        self.clock = clock
        self.history_limit = history_limit
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self._revision = 1
        self._collections = {name: Collection() for name in BY_STORAGE}
        self._swallow: dict[str, int] = {}
        self._hold_termination = False

    @property
    def resource_version(self) -> int:
        """Give the newest resourceVersion of the whole store."""
        return self._revision

    @property
    def hold_termination(self) -> bool:
        """While true, a deleted namespace stays Terminating with all its content."""
        return self._hold_termination

    @hold_termination.setter
    def hold_termination(self, hold: bool) -> None:
        self._hold_termination = hold
        if not hold:
            self._announce_terminating()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Look up an object by the plural of its resource; the namespace is "" for cluster-scoped ones."""
        version = self.version(resource, Key(namespace, name))
        return version.object if version else None

    def objects(self, resource: str, namespace: str | None = None) -> list[Object]:
        """List the objects of a resource, of one namespace or of all."""
        versions = self.versions(resource)
        return [v.object for v in versions if namespace is None or v.key.namespace == namespace]

    def history(self, resource: str) -> list[Change]:
        """Give every version of every object of a resource that was ever stored, oldest first."""
        with self.lock:
            return list(self._collections[resource].log)

    def create(self, obj: Object) -> Object:
        """Store a new object (apiVersion and kind say what), with defaults; return it with its metadata.

        Nobody owns its fields: it has no managedFields.
        """
        resource = resource_of(obj)
        completed = prepared_for_create(resource, decoding.finish(resource, obj))
        return self.insert(resource.storage, resource.to_storage(completed)).object

    def replace(self, obj: Object) -> Object:
        """Store another content for an object that is there; its uid and creation time stay."""
        resource = resource_of(obj)
        live = self.version(resource.storage, key_of(obj))
        if live is None:
            raise KeyError(key_of(obj))
        kept = {name: live.object["metadata"][name] for name in ("uid", "creationTimestamp")}
        completed = resource.to_storage(decoding.finish(resource, obj))
        return self.write(resource.storage, with_metadata(completed, **kept)).object

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Take an object away at once, finalizers or not."""
        self.remove(resource, Key(namespace, name))

    def compact(self) -> None:
        """Forget the past for watches and older lists: what starts before now is 410 Expired."""
        with self.lock:
            for collection in self._collections.values():
                collection.compacted = self._revision

    def backup(self) -> Backup:
        """Keep the state as it is now, for `restore`."""
        with self.lock:
            return Backup(revision=self._revision, collections=copies(self._collections))

    def restore(self, backup: Backup) -> None:
        """Go back to an earlier state and its resourceVersions, as when etcd is restored; watches are told nothing."""
        with self.lock:
            self._revision = backup.revision
            for name, collection in copies(backup.collections).items():
                self._collections[name] = collection

    def version(self, resource: str, key: Key) -> Version | None:
        """Give the present version of an object."""
        with self.lock:
            return self._collections[resource].current.get(key)

    def versions(self, resource: str, at: int | None = None) -> list[Version]:
        """List the objects of a resource in key order, now or as of a resourceVersion."""
        with self.lock:
            collection = self._collections[resource]
            return collection.sorted() if at is None or at >= self._revision else collection.at(at)

    def insert(self, resource: str, obj: Object) -> Version:
        """Store a new object with fresh metadata."""
        created = with_metadata(
            obj,
            uid=str(uuid.uuid4()),
            creationTimestamp=rfc3339(self.clock()),
            generation=obj["metadata"].get("generation"),
        )
        with self.lock:
            if key_of(obj) in self._collections[resource].current:
                owner = BY_STORAGE[resource]
                raise status.already_exists(owner.group, owner.plural, key_of(obj).name)
            return self._commit("ADDED", resource, created)

    def write(self, resource: str, obj: Object) -> Version:
        """Store the next version of an object that is there."""
        with self.lock:
            return self._commit("MODIFIED", resource, obj)

    def remove(self, resource: str, key: Key, last: Object | None = None) -> Version:
        """Take an object away; `last` is its final state where that differs from the stored one."""
        with self.lock:
            live = self._collections[resource].current[key]
            return self._commit("DELETED", resource, last or live.object)

    def log(self, resource: str) -> Collection:
        """Give a resource's collection, for watches to read its log."""
        return self._collections[resource]

    def check_not_expired(self, resource: str, resource_version: int) -> None:
        """Raise 410 if changes since that resourceVersion are no longer all kept."""
        collection = self._collections[resource]
        oldest = collection.compacted
        if len(collection.log) > self.history_limit:
            oldest = max(oldest, collection.log[-self.history_limit - 1].resource_version)
        if resource_version < oldest:
            raise status.expired(f"too old resource version: {resource_version} ({oldest + 1})")

    def swallow(self, resource: str, count: int) -> None:
        """Keep the next changes of a resource from every watch; lists still show them."""
        with self.lock:
            self._swallow[resource] = self._swallow.get(resource, 0) + count

    def terminating(self) -> Iterator[Version]:
        """Go through the namespaces that are being deleted."""
        return (v for v in self.versions("namespaces") if "deletionTimestamp" in v.object["metadata"])

    def _commit(self, kind: str, resource: str, obj: Object) -> Version:
        self._revision += 1
        version = Version(_typed(BY_STORAGE[resource], with_metadata(obj, resourceVersion=str(self._revision))))
        collection = self._collections[resource]
        previous = collection.current.get(version.key)
        swallowed = self._take_swallow(resource)
        change = Change(type=kind, version=version, previous=previous, time=self.clock(), swallowed=swallowed)
        collection.record(change)
        for listener in list(self.listeners):
            listener(resource, change)
        return version

    def _take_swallow(self, resource: str) -> bool:
        left = self._swallow.get(resource, 0)
        if left:
            self._swallow[resource] = left - 1
        return bool(left)

    def _announce_terminating(self) -> None:
        with self.lock:
            for version in self.terminating():
                change = Change(type="MODIFIED", version=version, previous=version, time=self.clock())
                for listener in list(self.listeners):
                    listener("namespaces", change)


def _typed(resource: Resource, obj: Object) -> Object:
    head: dict[str, Any] = {"kind": resource.kind, "apiVersion": resource.api_version}
    return head | {name: value for name, value in obj.items() if name not in head}
