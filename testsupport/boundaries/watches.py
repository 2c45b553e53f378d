"""Watches of the simulated cluster whose events are dropped, repeated and delayed one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.boundaries.cluster import Cluster
from testsupport.boundaries.journal import Fault, Journal
from testsupport.simulation.manifests import namespace_metadata
from testsupport.simulation.store import Change
from testsupport.simulation.watches import Event, Stream, event_of, is_of

LATENCY = 0.01
"""Seconds, each way."""
LONG = 60.0
"""Seconds by which an event is late or comes again."""


class Delivery:
    """Brings the events of one watch, in order but for faults."""

    def __init__(self, journal: Journal, deliver: Callable[[Change], None], *, lag: float = 0.0) -> None:
        self._journal = journal
        self._deliver = deliver
        self._lag = lag
        self._held: list[Change] = []

    def tell(self, change: Change) -> None:
        """Bring an event soon."""
        asyncio.get_running_loop().call_later(LATENCY + self._lag, self._bring, change)

    def _bring(self, change: Change) -> None:
        fault = self._journal.cross("event", f"{change.kind} {change.kind_of}/{change.namespace}")
        if fault is Fault.DELAYED:
            self._held.append(change)
            asyncio.get_running_loop().call_later(LONG, self._release)
        elif fault is not Fault.DROPPED:
            self._deliver(change)
            self._release()
        if fault is Fault.REPEATED:
            self._deliver(change)
            asyncio.get_running_loop().call_later(LONG, self._deliver, change)

    def _release(self) -> None:
        held, self._held = self._held, []
        for change in held:
            self._deliver(change)


class Streams:
    """The open watches of Secrets and ServiceAccounts."""

    def __init__(self, cluster: Cluster, journal: Journal, watch_seconds: float | None = None) -> None:
        """Keep each open for that long, or for as long as its client has asked for."""
        self._cluster = cluster
        self._journal = journal
        self._watch_seconds = watch_seconds
        self._open: dict[Stream, tuple[str, str, Delivery]] = {}
        """Of each the resource, the name of its objects, "" for all, and what brings its events."""
        cluster.listeners.append(self._on_change)

    @asynccontextmanager
    async def open(
        self, resource: str, version: int, seconds: float, *, name: str = "", lag: float
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a watch of the changes after a version, for that many seconds: of all objects, or those of one name."""
        stream = Stream()
        delivery = Delivery(self._journal, lambda change: stream.put(event_of(change)), lag=lag)
        for change in self._cluster.changes:
            if is_of(change, resource, name) and change.version > version:
                delivery.tell(change)
        ending = asyncio.get_running_loop().call_later(self._watch_seconds or seconds, stream.put, None)
        self._open[stream] = resource, name, delivery
        try:
            yield stream.events()
        finally:
            ending.cancel()
            del self._open[stream]

    def count(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def _on_change(self, change: Change) -> None:
        for resource, name, delivery in self._open.values():
            if is_of(change, resource, name):
                delivery.tell(change)


class NamespaceFeed:
    """The watch of Namespaces of one process, in place of kopf."""

    def __init__(
        self, cluster: Cluster, journal: Journal, handler: NamespaceHandler, _on_reopened: Callable[[], None]
    ) -> None:
        self._cluster = cluster
        self._delivery = Delivery(journal, self._deliver)
        self._handler = handler
        self._stopped = asyncio.Event()
        self.was_open = False

    async def run(self, on_start: Callable[[], None]) -> None:
        """Deliver events until stopped."""
        self._cluster.listeners.append(self._on_change)
        self.was_open = True
        on_start()
        try:
            await self._stopped.wait()
        finally:
            self._cluster.listeners.remove(self._on_change)

    def restart(self) -> None:
        """Go on: the feed keeps no version."""

    def stop(self) -> None:
        """Deliver no more events."""
        self._stopped.set()

    def _on_change(self, change: Change) -> None:
        if change.namespace_version is not None:
            self._delivery.tell(change)

    def _deliver(self, change: Change) -> None:
        if change.namespace_version is not None:
            event = self._handler.delete if change.kind == "DELETED" else self._handler.upsert
            event(observe_namespace(namespace_metadata(change.namespace_version)))
