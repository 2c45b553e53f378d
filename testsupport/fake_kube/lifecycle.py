"""The two controllers that tests rely on: namespace termination and the default ServiceAccount."""

import asyncio

from testsupport.fake_kube.objects import Key, Object, metadata, rfc3339, with_metadata
from testsupport.fake_kube.resources import RESOURCES
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.versions import Change

CONTENT = sorted({resource.storage for resource in RESOURCES if resource.namespaced})


class NamespaceLifecycle:
    """Gives each namespace its default ServiceAccount, and empties the ones that are being deleted."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        store.listeners.append(self.changed)

    def changed(self, resource: str, change: Change) -> None:
        """Note a change; the work follows in a later step of the loop, as with a real controller."""
        key = change.version.key
        if resource == "namespaces":
            self._namespace_changed(key.name, change)
        elif change.type == "DELETED":
            self._soon(key.namespace)

    def _namespace_changed(self, name: str, change: Change) -> None:
        if change.type == "ADDED":
            self._ensure_default_account(name)
        elif change.type == "MODIFIED" and "deletionTimestamp" in metadata(change.object):
            self._soon(name)

    def _soon(self, namespace: str) -> None:
        if namespace and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.reconcile, namespace)

    def reconcile(self, name: str) -> None:
        """Bring one namespace to where it should be."""
        with self._store.lock:
            namespace = self._store.get("namespaces", "", name)
            if namespace is None:
                return
            if "deletionTimestamp" not in metadata(namespace):
                self._ensure_default_account(name)
            elif not self._store.hold_termination:
                self._terminate(name, namespace)

    def _ensure_default_account(self, namespace: str) -> None:
        if self._store.get("serviceaccounts", namespace, "default") is None:
            account = {"metadata": {"name": "default", "namespace": namespace}}
            self._store.insert("serviceaccounts", account)

    def _terminate(self, name: str, namespace: Object) -> None:
        for resource in CONTENT:
            for obj in self._store.objects(resource, name):
                delete_or_mark(self._store, resource, obj)
        if any(self._store.objects(resource, name) for resource in CONTENT):
            return
        if metadata(namespace).get("finalizers"):
            if namespace.get("spec"):
                self._store.write("namespaces", {**namespace, "spec": {}})
        else:
            self._store.remove("namespaces", Key("", name))


def delete_or_mark(store: Store, resource: str, obj: Object) -> None:
    """Delete an object, or mark it as being deleted while it has finalizers."""
    meta = metadata(obj)
    if not meta.get("finalizers"):
        store.remove(resource, Key(meta.get("namespace", ""), meta["name"]))
    elif "deletionTimestamp" not in meta:
        store.write(resource, marked_for_deletion(store, obj))


def marked_for_deletion(store: Store, obj: Object) -> Object:
    """Give the object with the marks of a deletion that waits for finalizers."""
    return with_metadata(obj, deletionTimestamp=rfc3339(store.clock()), deletionGracePeriodSeconds=0)
