"""Lists all Namespaces at intervals, so that nothing that kopf's watch misses stays missed.

Until the watch is open they are listed every second or so: in a large cluster kopf reads all of them first, which takes
seconds, in which nobody else would tell of an opt-in.

They are also listed when the watch goes on after a gap. It goes on from a version that it was told before, and kopf
does not ask whether that is still part of the cluster's history: after etcd was restored such a watch stays silent.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.errors.said_causes import SaidCauses
from pullkeeper.domain.namespace.namespace import ObservedNamespace

logger = logging.getLogger(__name__)

ListNamespaces = Callable[[], Awaitable[tuple[Iterable[ObservedNamespace], int]]]
"""Lists all Namespaces and returns the resourceVersion of the listing, too; raises FailureError."""


_MIN_PAUSE = timedelta(seconds=5)
"""Between two listings, because a watch may break again and again."""
_UNWATCHED_PAUSE = timedelta(seconds=1)
_UNWATCHED_LISTINGS = 8
"""At most so many until the watch is open, in case that it never is; between them twice as long as one has taken."""


class EventHandler(Protocol):
    """What takes over a listing."""

    def expect_listing(self) -> None:
        """Take note that a listing is asked for now: it is no older than anything that is known."""

    def replace(self, found: Iterable[ObservedNamespace], version: int, *, watched: bool) -> None:
        """Take over a whole listing; `watched`: a watch should have told of everything in it."""

    def on_forbidden(self) -> None:
        """Note that the Namespaces cannot be listed, because RBAC forbids it."""


class NamespaceRelister:
    """Lists all Namespaces now, every `interval` and when told to; after a failure it retries with backoff."""

    def __init__(
        self,
        list_namespaces: ListNamespaces,
        handler: EventHandler,
        *,
        is_watched: Callable[[], bool],
        interval: timedelta,
        rng: random.Random,
    ) -> None:
        """`is_watched` tells whether the watch has been open."""
        self._list_namespaces = list_namespaces
        self._handler = handler
        self._is_watched = is_watched
        self._interval = interval
        self._rng = rng
        self._unwatched_listings = _UNWATCHED_LISTINGS
        self._due = asyncio.Event()
        self._gap = False
        self._causes = SaidCauses()

    def relist(self) -> None:
        """List anew soon, because the watch has a gap: it cannot have told of everything by itself."""
        self._gap = True
        self._due.set()

    async def run(self) -> None:
        """List again and again, until cancelled."""
        failures = 0
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._list()
                failures, delay = 0, self._interval
                if self._causes.end():
                    logger.info("listing Namespaces works again")
                if await self._is_unwatched(asyncio.get_running_loop().time() - started):
                    continue
            except FailureError as error:
                if error.failure.reason is Reason.KUBERNETES_DENIED:
                    self._handler.on_forbidden()
                failures += 1
                delay = retry_delay(failures, self._rng.random())
                if self._causes.is_new(str(error)):
                    logger.warning("listing Namespaces failed: %s; it is tried again", error)
            await asyncio.sleep(min(delay, _MIN_PAUSE).total_seconds())
            with suppress(TimeoutError):
                async with asyncio.timeout((delay - min(delay, _MIN_PAUSE)).total_seconds()):
                    await self._due.wait()

    async def _is_unwatched(self, took: float) -> bool:
        """Return whether nothing tells of changes yet, after a pause in which that may have changed."""
        if self._is_watched() or not self._unwatched_listings:
            return False
        self._unwatched_listings -= 1
        await asyncio.sleep(max(_UNWATCHED_PAUSE.total_seconds(), 2 * took))
        return not self._is_watched()

    async def _list(self) -> None:
        self._due.clear()
        watched = self._is_watched()
        self._handler.expect_listing()
        found, version = await self._list_namespaces()
        watched, self._gap = watched and not self._gap, False
        self._handler.replace(found, version, watched=watched)
