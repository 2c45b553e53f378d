"""What the reflectors have observed, by namespace."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Resource(Protocol):
    """An observed object."""

    @property
    def resource_version(self) -> int:
        """Version of the object; versions of one kind are compared as numbers."""
        ...


T = TypeVar("T", bound=Resource)
_Item_co = TypeVar("_Item_co", covariant=True)
_Observed_contra = TypeVar("_Observed_contra", contravariant=True)

Key = tuple[str, str]
"""The namespace that an object belongs to, and its name there; "" where a namespace has at most one."""


class Reader(Protocol[_Item_co]):
    """What a reconciler reads of a cache that has one object for each namespace."""

    def get(self, namespace: str) -> _Item_co | None:
        """Return the object of this namespace as last observed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheReports:
    """Where a cache reports what is odd, each time with its kind."""

    record_differences: Callable[[str, int], None] = lambda _kind, _count: None
    """Count differences that a listing has found and no watch has told of."""
    on_went_back: Callable[[str, int], None] = lambda _kind, _version: None
    """Take note that a listing is older than what is known."""


class Observer(Protocol[_Observed_contra]):
    """Keeps something of its own about each object of a cache."""

    def observe(self, item: _Observed_contra, /) -> None:
        """Take note of an object that is new or has changed, or that is to be reconciled for another reason."""

    def forget(self, item: _Observed_contra, /) -> None:
        """Drop everything about an object that is gone."""


class ResourceCache(Generic[T]):
    """The objects of one kind as last observed; a namespace is enqueued when an object of it changes.

    Events may come late, twice or never, from any number of reflectors: an object is replaced only by a newer version,
    and a listing removes only what is not younger than itself. A listing repairs whatever events were missed.
    """

    def __init__(
        self,
        kind: str,
        *,
        key: Callable[[T], Key],
        enqueue: Callable[[str], None],
        is_relevant: Callable[[T, T], bool] = lambda _before, _after: True,
        observer: Observer[T] | None = None,
        on_synced: Callable[[], None] = lambda: None,
        one_by_one: bool = False,
        reports: CacheReports | None = None,
    ) -> None:
        """Make an empty cache.

        `kind` is the plural of the resource. `is_relevant` tells whether a newer version is to be reconciled: without
        it any is, because a write may just have failed for the older one. `on_synced` is called after the first
        listing of each scope. `one_by_one` says that the reflector of a scope other than "" reads a single object by
        its name: its listing carries the object's own version, and a refusal cannot be told from an absence.
        """
        self._kind = kind
        self._key = key
        self._enqueue = enqueue
        self._is_relevant = is_relevant
        self._observer = observer
        self._on_synced = on_synced
        self._one_by_one = one_by_one
        self._reports = reports or CacheReports()
        self._items: dict[str, dict[str, T]] = {}
        self._scopes: dict[str, _Scope] = {}

    def handler(self, scope: str = "") -> "ScopeHandler[T]":
        """Return the event handler of one reflector: of all namespaces, or of the one named `scope`."""
        self._scopes.setdefault(scope, _Scope(name=scope))
        return ScopeHandler(self, scope)

    def get(self, namespace: str, name: str = "") -> T | None:
        """Return an object as last observed."""
        return self._items.get(namespace, {}).get(name)

    def of(self, namespace: str) -> tuple[T, ...]:
        """Return all objects of a namespace."""
        return tuple(self._items.get(namespace, {}).values())

    def items(self) -> tuple[T, ...]:
        """Return all objects."""
        return tuple(item for items in self._items.values() for item in items.values())

    def is_known_at(self, version: int, namespace: str, name: str = "") -> bool:
        """Whether what is known of an object is surely no older than this version of anything in the cluster."""
        known, scope = self.get(namespace, name), self._scope_of(namespace)
        told = scope.resource_version if scope else 0
        return max(told, known.resource_version if known else 0) >= version

    def has_synced(self, namespace: str) -> bool:
        """Whether the namespace has been listed, so that what is not here does not exist."""
        scope = self._scope_of(namespace)
        return scope is not None and scope.is_listed

    def is_current(self, namespace: str) -> bool:
        """Whether the namespace has been listed, and the API server did not deny it the last time."""
        scope = self._scope_of(namespace)
        return scope is not None and scope.is_listed and not scope.is_denied

    def synced(self) -> list[asyncio.Event]:
        """Return what to wait for before the cache can be relied on: one event for each handler."""
        return [scope.synced for scope in self._scopes.values()]

    def is_denied(self) -> bool:
        """Whether the API server denies listing all that there is to list."""
        return bool(self._scopes) and all(scope.is_denied for scope in self._scopes.values())

    def enqueue_all(self) -> None:
        """Enqueue every object: what is to be done about it may have changed."""
        for item in self.items():
            if self._observer:
                self._observer.observe(item)
            self._enqueue(self._key(item)[0])

    def upsert(self, item: T) -> None:
        """Take over a new or changed object, unless what is known is as new."""
        self._note_told(item)
        self._take_over(item)

    def delete(self, item: T) -> None:
        """Drop an object that is gone; `item` is its last version."""
        self._note_told(item)
        known = self.get(*self._key(item))
        if known is not None and known.resource_version < item.resource_version:
            self._drop(known)

    def record_write(self, item: T) -> None:
        """Take over our own write before the watch brings it; then the watch has nothing new to enqueue.

        A write that the watch has overtaken is no news: what came after it may be somebody else's.
        """
        namespace, name = self._key(item)
        known, scope = self.get(namespace, name), self._scope_of(namespace)
        if scope is not None:
            scope.last_told = max(scope.last_told, item.resource_version)
        overtaken = scope is not None and item.resource_version <= scope.resource_version
        if not overtaken and (known is None or known.resource_version < item.resource_version):
            self._store(item)

    def record_delete(self, item: T) -> None:
        """Drop an object that we have just deleted."""
        if self.get(*self._key(item)) == item:
            self._remove(item)

    def replace(self, found: Iterable[T], version: int, scope: str = "", *, watched: bool = False) -> None:
        """Take over a listing of a scope: what is not in it, and not younger, is gone.

        `watched` says that a watch should have told of everything by itself: then what the listing finds against the
        cache is reported, unless the watch tells of it before the next listing.
        """
        listed, known = {self._key(item): item for item in found}, self._scopes[scope]
        if known.is_trusted and self._went_back(listed, version, known):
            self._reports.on_went_back(self._kind, version)
            known.is_trusted = False
        self._report_differences(listed, version, known, watched=watched and known.is_listed and known.is_trusted)
        if not known.is_trusted:
            self._restore(listed, scope)
            known.last_told = known.expected = 0
        for item in self._of_scope(scope):
            if self._key(item) not in listed and item.resource_version <= version:
                self._drop(item)
        for item in listed.values():
            self._take_over(item)
        known.resource_version, known.is_trusted, known.is_denied = version, True, False
        known.synced.set()
        if not known.is_listed:
            known.is_listed = True
            self._on_synced()

    def expect_listing(self, scope: str = "") -> None:
        """Take note that a listing is asked for now: it cannot be older than what has been told or written before."""
        known = self._scopes[scope]
        known.expected = max(known.resource_version, known.last_told)

    def start_anew(self) -> None:
        """Compare nothing known with the next listing of any scope: it replaces everything, and all is enqueued."""
        for scope in self._scopes.values():
            scope.is_trusted, scope.resource_version, scope.last_told, scope.expected = False, 0, 0, 0

    def on_bookmark(self, version: int, scope: str = "") -> None:
        """Take note that everything up to this version of a scope has been told."""
        self._scopes[scope].resource_version = max(version, self._scopes[scope].resource_version)

    def on_forbidden(self, scope: str = "") -> None:
        """Go on without a single namespace, so that it holds up no other one; without all of them, wait."""
        self._scopes[scope].is_denied = True
        if not scope:
            return
        if self._one_by_one:
            for item in self.of(scope):
                self._drop(item)
        self._scopes[scope].synced.set()

    def _take_over(self, item: T) -> None:
        namespace, name = self._key(item)
        known = self.get(namespace, name)
        if known is not None and known.resource_version >= item.resource_version:
            return
        self._store(item)
        if known is None or self._is_relevant(known, item):
            self._enqueue(namespace)

    def _went_back(self, listed: Mapping[Key, T], version: int, scope: "_Scope") -> bool:
        """Whether a listing is older than what is known; one may lag behind single events, but not behind itself."""
        single = scope.name and self._one_by_one
        if not single and version < max(scope.resource_version, scope.expected):
            return True
        known = ((item, self.get(*key)) for key, item in listed.items())
        return any(
            before is not None
            and item.resource_version < before.resource_version
            and (single or before.resource_version <= version)
            for item, before in known
        )

    def _report_differences(self, listed: Mapping[Key, T], version: int, scope: "_Scope", *, watched: bool) -> None:
        """Report what the watch has not told of since the last listing, and keep what this one is ahead of it by."""
        untold, scope.untold = scope.untold, {}
        if not watched:
            return
        if untold:
            self._reports.record_differences(self._kind, len(untold))
        for key, item in listed.items():
            known = self.get(*key)
            if known is None or known.resource_version < item.resource_version:
                scope.untold[key] = item.resource_version
        for item in self._of_scope(scope.name):
            if self._key(item) not in listed and item.resource_version <= version:
                scope.untold[self._key(item)] = item.resource_version + 1

    def _note_told(self, item: T) -> None:
        key = self._key(item)
        scope = self._scope_of(key[0])
        if scope is None:
            return
        scope.last_told = max(scope.last_told, item.resource_version)
        if scope.untold.get(key, item.resource_version + 1) <= item.resource_version:
            del scope.untold[key]

    def _restore(self, listed: Mapping[Key, T], scope: str) -> None:
        """Drop everything known of a scope; what is listed is stored and enqueued as if it were new."""
        for item in self._of_scope(scope):
            if self._key(item) in listed:
                self._remove(item)
            else:
                self._drop(item)

    def _of_scope(self, scope: str) -> tuple[T, ...]:
        return self.of(scope) if scope else self.items()

    def _scope_of(self, namespace: str) -> "_Scope | None":
        return self._scopes.get(namespace) or self._scopes.get("")

    def _store(self, item: T) -> None:
        namespace, name = self._key(item)
        self._items.setdefault(namespace, {})[name] = item
        if self._observer:
            self._observer.observe(item)

    def _remove(self, item: T) -> None:
        namespace, name = self._key(item)
        del self._items[namespace][name]
        if not self._items[namespace]:
            del self._items[namespace]

    def _drop(self, item: T) -> None:
        self._remove(item)
        if self._observer:
            self._observer.forget(item)
        self._enqueue(self._key(item)[0])


@dataclass(kw_only=True, slots=True)
class _Scope:
    """What is known of one reflector."""

    name: str
    is_listed: bool = False
    is_denied: bool = False
    """Whether the last try to list it was denied."""
    is_trusted: bool = True
    """False from when the versions went back until it has been listed anew."""
    untold: dict[Key, int] = field(default_factory=dict)
    """What the last listing found against the cache, with the version from which the watch has told of it."""
    resource_version: int = 0
    """Version up to which it has told everything, our own writes included."""
    last_told: int = 0
    """The latest version that an event, or the answer to a write of ours, has told of."""
    expected: int = 0
    """The version that the listing which was last asked for cannot be older than."""
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the scope was listed, or is a single namespace that cannot be."""


class ScopeHandler(Generic[T]):
    """The event handler of one reflector."""

    def __init__(self, cache: ResourceCache[T], scope: str) -> None:
        self._cache = cache
        self._scope = scope

    def replace(self, found: Iterable[T], version: int, *, watched: bool) -> None:
        """Take over a whole listing; `watched`: a watch should have told of everything in it."""
        self._cache.replace(found, version, self._scope, watched=watched)

    def expect_listing(self) -> None:
        """Take note that a listing is asked for now: it is no older than anything that is known."""
        self._cache.expect_listing(self._scope)

    def upsert(self, item: T) -> None:
        """Take over a new or changed object."""
        self._cache.upsert(item)

    def delete(self, item: T) -> None:
        """Drop an object that is gone; `item` is its last version."""
        self._cache.delete(item)

    def on_bookmark(self, version: int) -> None:
        """Take note that everything up to this version has been told."""
        self._cache.on_bookmark(version, self._scope)

    def on_forbidden(self) -> None:
        """Take note that the scope cannot be read for now."""
        self._cache.on_forbidden(self._scope)
