"""The Namespaces as they were last seen, from the watch and from the audit, whichever is newer."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.namespace.namespace import ObservedNamespace

logger = logging.getLogger(__name__)

Listing = Callable[[], Awaitable[tuple[Iterable[ObservedNamespace], int]]]
"""Lists all Namespaces and tells the version of the listing; raises FailureError."""


class NamespaceCache:
    """Remembers what the Namespaces ask for, and wakes whoever is to look at one that has changed."""

    def __init__(
        self,
        *,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        asks: Callable[[ObservedNamespace], bool] = lambda view: view.is_requested,
    ) -> None:
        self._wake = wake
        self._asks = asks
        self._clock = clock
        self._views: dict[str, ObservedNamespace] = {}
        self._asking_since: dict[str, datetime] = {}
        self.synced = asyncio.Event()

    def get(self, name: str) -> ObservedNamespace | None:
        """Give the namespace as it was last seen."""
        return self._views.get(name)

    def asking_since(self, name: str) -> datetime | None:
        """Tell when the namespace was first seen to ask for anything."""
        return self._asking_since.get(name)

    def wake_all(self) -> None:
        """Have every namespace looked at: what it may have has changed."""
        for name in self._views:
            self._wake(name)

    def upsert(self, view: ObservedNamespace) -> None:
        """Take note of a Namespace; one that is older than what is known changes nothing."""
        known = self._views.get(view.name)
        if known is not None and known.resource_version >= view.resource_version:
            return
        self._views[view.name] = view
        if not self._asks(view):
            self._asking_since.pop(view.name, None)
        else:
            self._asking_since.setdefault(view.name, self._clock())
        if known is None or known.content != view.content:
            self._wake(view.name)

    def delete(self, name: str) -> None:
        """Take note that a Namespace is gone."""
        if self._views.pop(name, None) is not None:
            self._asking_since.pop(name, None)
            self._wake(name)

    def replace(self, views: Iterable[ObservedNamespace], resource_version: int) -> None:
        """Take over a whole listing: what is not in it and not younger than it is gone."""
        listed = {view.name: view for view in views}
        for name, known in list(self._views.items()):
            if name not in listed and known.resource_version <= resource_version:
                self.delete(name)
        for view in listed.values():
            self.upsert(view)
        self.synced.set()

    async def audit(self, listing: Listing, *, every: timedelta, chance: random.Random) -> None:
        """List all Namespaces now and again and again, until cancelled: what a watch missed is found then."""
        failures = 0
        while True:
            try:
                self.replace(*await listing())
                failures, pause = 0, every
            except FailureError as error:
                failures += 1
                pause = retry_delay(failures, chance.random())
                logger.warning("listing Namespaces: %s; next try in %.1f s", error, pause.total_seconds())
            await asyncio.sleep(pause.total_seconds())


class OneNamespace:
    """Tells the inventory of one Namespace, which has a watch of its own."""

    def __init__(self, inventory: NamespaceCache, name: str) -> None:
        self._inventory = inventory
        self.name = name
        self.synced = asyncio.Event()

    def replace(self, found: list[ObservedNamespace], version: int) -> None:  # noqa: ARG002 -- a Namespace has its own
        """Take over how it is."""
        for view in found:
            self._inventory.upsert(view)
        self.synced.set()

    def upsert(self, view: ObservedNamespace) -> None:
        """Take note of a change."""
        self._inventory.upsert(view)

    def delete(self, view: ObservedNamespace) -> None:
        """Take note that it is gone."""
        self._inventory.delete(view.name)

    def on_bookmark(self, version: int) -> None:
        """Nothing of ours depends on it: Namespaces are never written."""

    def on_forbidden(self) -> None:
        """It is not there, or not to be seen: that holds nobody else up."""
        self._inventory.delete(self.name)
        self.synced.set()
