"""How changes reach the controller: watches of Secrets, and a feed of Namespaces in place of kopf."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.simulation.faults import Faults
from testsupport.simulation.store import Change, Store, namespace_metadata, secret_metadata
from testsupport.virtual_time import MINUTE, elapsed

_REMEMBERED = 500
"""Changes that the API server remembers; a watch from an older version gets 410 Gone."""

Event = Mapping[str, Any]


def unavailable() -> FailureError:
    """Return the error of a request without an answer."""
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the simulated API server is away"))


class Feed:
    """Delivers changes in order, except for faults."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self._faults = faults
        self._rng = rng
        self._last = 0.0

    def deliver(self, change: Change, deliver: Callable[[Change], None]) -> None:
        """Schedule the delivery of a change: soon, late, twice or never."""
        rates = self._faults.at(elapsed())
        if self._rng.random() < rates.event_lost:
            return
        if self._rng.random() < rates.event_twice:
            asyncio.get_running_loop().call_later(self._rng.uniform(0, MINUTE), deliver, change)
        if self._rng.random() < rates.event_late:
            asyncio.get_running_loop().call_later(self._rng.uniform(0, 2 * MINUTE), deliver, change)
            return
        self._last = max(self._last + 1e-6, elapsed() + self._rng.uniform(0.001, 0.1))
        asyncio.get_running_loop().call_at(self._last, deliver, change)


class Stream:
    """An open watch: a queue of events, with None at its end."""

    def __init__(self) -> None:
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


class SecretStreams:
    """The open watches of Secrets."""

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._faults = faults
        self._feed = Feed(faults, rng)
        self._streams: set[Stream] = set()
        self._past: deque[Change] = deque(maxlen=_REMEMBERED)
        store.listeners.append(self._on_change)

    @asynccontextmanager
    async def open(self, version: int, seconds: float) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a watch of the changes after a version, for that many seconds."""
        if self._faults.kube_back_at(elapsed()) is not None:
            raise unavailable()
        stream = Stream()
        if len(self._past) == _REMEMBERED and self._past[0].version > version:
            stream.put({"type": "ERROR", "object": {"code": 410}})
        for change in self._past:
            if change.version > version:
                stream.put(_event(change))
        ending = asyncio.get_running_loop().call_later(seconds, stream.put, None)
        self._streams.add(stream)
        try:
            yield stream.events()
        finally:
            ending.cancel()
            self._streams.discard(stream)

    def disconnect(self) -> None:
        """Break every open watch."""
        for stream in self._streams:
            stream.put(unavailable())

    def _on_change(self, change: Change) -> None:
        if change.secret is not None:
            self._past.append(change)
            self._feed.deliver(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        if self._faults.kube_back_at(elapsed()) is None:
            for stream in self._streams:
                stream.put(_event(change))


class NamespaceFeed:
    """Delivers Namespaces as kopf does: after an outage of the API server only their latest version."""

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._store = store
        self._faults = faults
        self._rng = rng
        self._feed = Feed(faults, rng)
        self._handlers: list[NamespaceHandler] = []
        store.listeners.append(self._on_change)

    def watch(self, handler: NamespaceHandler, _on_reopened: Callable[[], None]) -> "FeedWatch":
        """Create the watch of one controller; it keeps no version, so it never goes on from one."""
        return FeedWatch(handler, self._handlers)

    def _on_change(self, change: Change) -> None:
        if change.namespace_version is not None:
            self._feed.deliver(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        back_at = self._faults.kube_back_at(elapsed())
        if back_at is not None:
            if change.namespace_version is self._store.namespaces.get(change.namespace):
                asyncio.get_running_loop().call_at(back_at + self._rng.uniform(0, 2), self._deliver, change)
            return
        for handler in self._handlers:
            if change.namespace_version is not None:
                event = handler.delete if change.kind == "DELETED" else handler.upsert
                event(observe_namespace(namespace_metadata(change.namespace_version)))


class FeedWatch:
    """One controller's watch of Namespaces; it ends when its task is cancelled."""

    def __init__(self, handler: NamespaceHandler, handlers: list[NamespaceHandler]) -> None:
        self._handler = handler
        self._handlers = handlers
        self._stopped = asyncio.Event()

    async def run(self, on_start: Callable[[], None]) -> None:
        """Deliver events until stopped."""
        self._handlers.append(self._handler)
        on_start()
        try:
            await self._stopped.wait()
        finally:
            self._handlers.remove(self._handler)

    def restart(self) -> None:
        """Go on: the feed keeps no version."""

    def stop(self) -> None:
        """Deliver no more events."""
        self._stopped.set()


def _event(change: Change) -> Event:
    if change.secret is None:
        raise TypeError("a Secret's watch tells of Secrets alone")
    return {"type": change.kind, "object": {"metadata": secret_metadata(change.secret)}}
