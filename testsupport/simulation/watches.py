"""How changes reach the controller: the open watches of the Secrets, and the Namespaces one by one."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.simulation.store import Change, Store, namespace_metadata, secret_metadata
from testsupport.simulation.weather import Weather
from testsupport.virtual_time import MINUTE, elapsed

_REMEMBERED = 500
"""So many changes back a watch can be opened; before that the API server has forgotten."""

Event = Mapping[str, Any]


def unavailable() -> FailureError:
    """Give what the connection says when there is no answer."""
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the simulated API server is away"))


class Feed:
    """Hands changes on, in their order unless the weather says otherwise."""

    def __init__(self, weather: Weather, chance: random.Random) -> None:
        self._weather = weather
        self._chance = chance
        self._last = 0.0

    def carry(self, change: Change, deliver: Callable[[Change], None]) -> None:
        """Have one change delivered: soon, late, twice or never."""
        chances = self._weather.at(elapsed())
        if self._chance.random() < chances.event_lost:
            return
        if self._chance.random() < chances.event_twice:
            asyncio.get_running_loop().call_later(self._chance.uniform(0, MINUTE), deliver, change)
        if self._chance.random() < chances.event_late:
            asyncio.get_running_loop().call_later(self._chance.uniform(0, 2 * MINUTE), deliver, change)
            return
        self._last = max(self._last + 1e-6, elapsed() + self._chance.uniform(0.001, 0.1))
        asyncio.get_running_loop().call_at(self._last, deliver, change)


class Stream:
    """One open watch: events, and None at its end."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | FailureError | None] = asyncio.Queue()

    def put(self, item: Event | FailureError | None) -> None:
        """Send one event, or end the watch."""
        self._queue.put_nowait(item)

    async def events(self) -> AsyncIterator[Event]:
        """Give the events until the watch ends; raises FailureError where it breaks."""
        while (item := await self._queue.get()) is not None:
            if isinstance(item, FailureError):
                raise item
            yield item


class SecretStreams:
    """The watches of the Secrets."""

    def __init__(self, store: Store, weather: Weather, chance: random.Random) -> None:
        self._weather = weather
        self._feed = Feed(weather, chance)
        self._streams: set[Stream] = set()
        self._past: deque[Change] = deque(maxlen=_REMEMBERED)
        store.listeners.append(self._hear)

    @asynccontextmanager
    async def open(self, version: int, seconds: float) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a watch that tells what came after a version, for so many seconds."""
        if self._weather.kube_back_at(elapsed()) is not None:
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

    def break_off(self) -> None:
        """Break every open watch."""
        for stream in self._streams:
            stream.put(unavailable())

    def _hear(self, change: Change) -> None:
        if change.secret is not None:
            self._past.append(change)
            self._feed.carry(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        if self._weather.kube_back_at(elapsed()) is None:
            for stream in self._streams:
                stream.put(_event(change))


class NamespaceFeed:
    """What kopf hands on of the Namespaces: after a time without the API server just how they are then."""

    def __init__(self, store: Store, weather: Weather, chance: random.Random) -> None:
        self._store = store
        self._weather = weather
        self._chance = chance
        self._feed = Feed(weather, chance)
        self._sinks: list[NamespaceHandler] = []
        store.listeners.append(self._hear)

    def watch(self, sink: NamespaceHandler) -> "FeedWatch":
        """Make a controller's watch: one, unless a test lets two act at once."""
        return FeedWatch(sink, self._sinks)

    def _hear(self, change: Change) -> None:
        if change.view is not None:
            self._feed.carry(change, self._deliver)

    def _deliver(self, change: Change) -> None:
        back_at = self._weather.kube_back_at(elapsed())
        if back_at is not None:
            if change.view is self._store.namespaces.get(change.namespace):
                asyncio.get_running_loop().call_at(back_at + self._chance.uniform(0, 2), self._deliver, change)
            return
        for sink in self._sinks:
            if change.view is not None:
                event = sink.delete if change.kind == "DELETED" else sink.upsert
                event(observe_namespace(namespace_metadata(change.view)))


class FeedWatch:
    """One controller's watch of the Namespaces: it ends with the task that runs it."""

    def __init__(self, sink: NamespaceHandler, sinks: list[NamespaceHandler]) -> None:
        self._sink = sink
        self._sinks = sinks
        self._stopped = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Hand on the events, until stopped."""
        self._sinks.append(self._sink)
        self.ready.set()
        try:
            await self._stopped.wait()
        finally:
            self._sinks.remove(self._sink)

    def stop(self) -> None:
        """Hand on no more."""
        self._stopped.set()


def _event(change: Change) -> Event:
    if change.secret is None:
        raise TypeError("a Secret's watch tells of Secrets alone")
    return {"type": change.kind, "object": {"metadata": secret_metadata(change.secret)}}
