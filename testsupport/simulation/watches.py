"""How changes reach the controller: watches of Secrets, and a feed of Namespaces in place of kopf."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import Any

from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.simulation.faults import Faults, during
from testsupport.simulation.manifests import namespace_metadata, secret_metadata, service_account
from testsupport.simulation.store import Change, Store
from testsupport.virtual_time import MINUTE, elapsed

_REMEMBERED = 500
"""Changes that the API server remembers; a watch from an older version gets 410 Gone."""

KINDS = ("secrets", "serviceaccounts")
"""Resources that reflectors watch."""

Event = Mapping[str, Any]


def unavailable() -> FailureError:
    """Return the error of a request without an answer."""
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the simulated API server is away"))


class Feed:
    """Delivers changes in order, except for faults."""

    def __init__(self, faults: Faults, rng: random.Random, store: Store) -> None:
        self._faults = faults
        self._rng = rng
        self._happened = store.record.happened
        self._last = 0.0

    def deliver(self, change: Change, deliver: Callable[[Change], None]) -> None:
        """Schedule the delivery of a change: soon, late, twice or never."""
        rates = self._faults.at(elapsed())
        if self._rng.random() < rates.event_lost:
            self._happened["event lost"] += 1
            return
        if self._rng.random() < rates.event_twice:
            self._happened["event twice"] += 1
            asyncio.get_running_loop().call_later(self._rng.uniform(0, MINUTE), deliver, change)
        if self._rng.random() < rates.event_late:
            self._happened["event late"] += 1
            asyncio.get_running_loop().call_later(self._rng.uniform(0, 2 * MINUTE), deliver, change)
            return
        self._last = max(self._last + 1e-6, elapsed() + self._rng.uniform(0.001, 0.1))
        asyncio.get_running_loop().call_at(self._last, deliver, change)


class Stream:
    """An open watch: a queue of events, with None at its end."""

    def __init__(self, since: int = 0) -> None:
        """Tell of what is younger than this version: of nothing for long, if the versions have gone back behind it."""
        self.since = since
        self._queue: asyncio.Queue[Event | FailureError | None] = asyncio.Queue()

    def put(self, item: Event | FailureError | None) -> None:
        """Send an event, an error, or None to end the watch."""
        self._queue.put_nowait(item)

    async def events(self) -> AsyncIterator[Event]:
        """Iterate over the events until the watch ends. Raises FailureError if it breaks."""
        while (item := await self._queue.get()) is not None:
            if isinstance(item, FailureError):
                raise item
            yield item


class Streams:
    """The open watches of Secrets and of ServiceAccounts."""

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._faults = faults
        self._store = store
        self._feed = Feed(faults, rng, store)
        self._streams: dict[Stream, tuple[str, str]] = {}
        """The resource of each, and the name of its objects, "" for all."""
        self._past: dict[str, deque[Change]] = {kind: deque(maxlen=_REMEMBERED) for kind in KINDS}
        self._oldest = 0
        store.listeners.append(self._on_change)

    @asynccontextmanager
    async def open(
        self, kind: str, version: int, seconds: float, name: str = ""
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a watch of the changes after a version, for that many seconds: of all objects, or those of one name."""
        now, past = elapsed(), self._past[kind]
        if self._faults.kube_back_at(now) is not None:
            raise unavailable()
        stream = Stream(version)
        if during(self._faults.unauthorized, now):
            stream.put(_error(401))
        elif kind == "serviceaccounts" and during(self._faults.unwatchable, now):
            stream.put(_error(403))
        elif version < self._oldest or (len(past) == _REMEMBERED and past[0].version > version):
            self._store.record.happened["watch too old"] += 1
            stream.put(_error(410))
        for change in reversed(list(takewhile(lambda change: change.version > version, reversed(past)))):
            if is_of(change, kind, name):
                stream.put(event_of(change))
        ending = asyncio.get_running_loop().call_later(self._faults.watch_seconds or seconds, stream.put, None)
        self._streams[stream] = (kind, name)
        try:
            yield stream.events()
        finally:
            ending.cancel()
            del self._streams[stream]

    def disconnect(self) -> None:
        """Break every open watch."""
        for stream in self._streams:
            stream.put(unavailable())

    def end(self) -> None:
        """End every open watch as if its time were over."""
        for stream in self._streams:
            stream.put(None)

    def fail(self, code: int) -> None:
        """End every open watch with an error of the server."""
        for stream in self._streams:
            self._store.record.happened[f"watch error {code}"] += 1
            stream.put(_error(code))

    def forget(self) -> None:
        """Know of no change any more, as an API server that has just started."""
        self._oldest = self._store.version
        for past in self._past.values():
            past.clear()

    def _on_change(self, change: Change) -> None:
        if change.kind_of in KINDS:
            self._past[change.kind_of].append(change)
            self._feed.deliver(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        if self._faults.kube_back_at(elapsed()) is None:
            for stream, watched in self._streams.items():
                if change.version > stream.since and is_of(change, *watched):
                    stream.put(event_of(change))


class NamespaceFeed:
    """Delivers Namespaces as kopf does: after an outage of the API server only their latest version."""

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._store = store
        self._faults = faults
        self._rng = rng
        self._feed = Feed(faults, rng, store)
        self._watches: list[FeedWatch] = []
        store.listeners.append(self._on_change)

    def watch(self, handler: NamespaceHandler, on_reopened: Callable[[], None]) -> "FeedWatch":
        """Create the watch of one controller."""
        return FeedWatch(handler, on_reopened, self._store, self._watches)

    def reopen(self) -> None:
        """Have every watch go on from the version that it has come to."""
        for watch in self._watches:
            watch.reopen()

    def _on_change(self, change: Change) -> None:
        if change.namespace_version is not None:
            self._feed.deliver(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        back_at = self._faults.kube_back_at(elapsed())
        if back_at is not None:
            if change.namespace_version is self._store.namespaces.get(change.namespace):
                asyncio.get_running_loop().call_at(back_at + self._rng.uniform(0, 2), self._deliver, change)
            return
        for watch in self._watches:
            watch.tell(change)


class FeedWatch:
    """One controller's watch of Namespaces; it ends when its task is cancelled."""

    def __init__(
        self, handler: NamespaceHandler, on_reopened: Callable[[], None], store: Store, watches: "list[FeedWatch]"
    ) -> None:
        self._handler = handler
        self._on_reopened = on_reopened
        self._store = store
        self._watches = watches
        self._stopped = asyncio.Event()
        self._told = 0
        self._blind_until = 0
        self.was_open = False

    async def run(self, on_start: Callable[[], None]) -> None:
        """Deliver events until stopped."""
        self._watches.append(self)
        self._told, self.was_open = self._store.version, True
        on_start()
        try:
            await self._stopped.wait()
        finally:
            self._watches.remove(self)

    def tell(self, change: Change) -> None:
        """Pass a change on, unless the watch has gone on from a version that is still to come."""
        if change.version <= self._blind_until or change.namespace_version is None:
            return
        self._told = max(self._told, change.version)
        event = self._handler.delete if change.kind == "DELETED" else self._handler.upsert
        event(observe_namespace(namespace_metadata(change.namespace_version)))

    def reopen(self) -> None:
        """Go on from the version that was told last: silently, if the versions have gone back behind it."""
        self._blind_until = self._told
        self._on_reopened()

    def restart(self) -> None:
        """List and watch anew."""
        self._told, self._blind_until = self._store.version, 0
        for namespace in tuple(self._store.namespaces.values()):
            self._handler.upsert(observe_namespace(namespace_metadata(namespace)))

    def stop(self) -> None:
        """Deliver no more events."""
        self._stopped.set()


def event_of(change: Change) -> Event:
    """Return what a watch of Secrets or ServiceAccounts tells of a change."""
    if change.secret is not None:
        return {"type": change.kind, "object": {"metadata": secret_metadata(change.secret)}}
    if change.account is not None:
        return {"type": change.kind, "object": service_account(change.account)}
    raise TypeError("Namespaces are not watched here")


def is_of(change: Change, kind: str, name: str) -> bool:
    """Return whether a watch of a resource, of all objects or of one name, tells of a change."""
    changed = change.secret or change.account
    return kind == change.kind_of and (changed is None or name in {"", changed.name})


def _error(code: int) -> Event:
    return {"type": "ERROR", "object": {"code": code}}
