"""Lists all Namespaces at intervals, so that nothing that kopf's watch misses stays missed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.said_causes import SaidCauses
from pullkeeper.domain.namespace.namespace import ObservedNamespace

logger = logging.getLogger(__name__)

ListNamespaces = Callable[[], Awaitable[tuple[Iterable[ObservedNamespace], int]]]
"""Lists all Namespaces and returns the resourceVersion of the listing, too; raises FailureError."""


class EventHandler(Protocol):
    """What takes over a listing."""

    def replace(self, found: Iterable[ObservedNamespace], version: int, *, watched: bool) -> None:
        """Take over a whole listing; `watched`: a watch should have told of everything in it."""


class NamespaceRelister:
    """Lists all Namespaces now and every `interval`; after a failure it retries with backoff."""

    def __init__(
        self, list_namespaces: ListNamespaces, handler: EventHandler, *, interval: timedelta, rng: random.Random
    ) -> None:
        self._list_namespaces = list_namespaces
        self._handler = handler
        self._interval = interval
        self._rng = rng
        self._due = asyncio.Event()
        self._causes = SaidCauses()

    def relist(self) -> None:
        """List anew now."""
        self._due.set()

    async def run(self) -> None:
        """List again and again, until cancelled."""
        failures = 0
        while True:
            try:
                self._due.clear()
                self._handler.replace(*await self._list_namespaces(), watched=True)
                failures, delay = 0, self._interval
                if self._causes.end():
                    logger.info("listing Namespaces works again")
            except FailureError as error:
                failures += 1
                delay = retry_delay(failures, self._rng.random())
                if self._causes.is_new(str(error)):
                    logger.warning("listing Namespaces failed: %s; it is tried again", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), delay.total_seconds())
