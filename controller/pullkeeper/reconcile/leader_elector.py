"""Which of several replicas acts: one holds the Lease, the others wait with warm caches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.errors.failures import FailureError, StaleObservationError
from pullkeeper.domain.kube.lease import Lease, LeaseObservation, LeaseTimings

logger = logging.getLogger(__name__)

_NEVER = float("-inf")


class LeaseClient(Protocol):
    """The one Lease. Each raises FailureError, and a write StaleObservationError where it has changed meanwhile."""

    async def read(self) -> Lease | None:
        """Read it, if it is there."""
        ...

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Make it, if it is not there."""
        ...

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take over just the one that was seen."""
        ...

    async def renew(self, lease: Lease) -> Lease:
        """Say that its holder is still there."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it up."""
        ...


class NoElection:
    """The leadership of the only replica: it always leads."""

    def is_leader(self) -> bool:
        """Tell whether this replica may write."""
        return True

    async def gained(self) -> None:
        """Wait until this replica leads."""

    async def lost(self) -> None:
        """Wait until it does not lead any more."""
        await asyncio.Event().wait()

    async def run(self) -> None:
        """Do nothing, until cancelled."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Give up nothing."""


class LeaderElector:
    """Strives for the Lease and keeps it; `holds` is the truth at every instant, whatever this task has noticed yet."""

    def __init__(
        self,
        door: LeaseClient,
        *,
        me: str,
        duration: timedelta,
        clock: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._door = door
        self._me = me
        self._duration = duration
        self._terms = LeaseTimings(duration=duration)
        self._clock = clock
        self._beat = beat
        self._mine: Lease | None = None
        self._seen: LeaseObservation | None = None
        self._until = _NEVER
        self._trouble = ""
        self._gained = asyncio.Event()
        self._lost = asyncio.Event()

    def is_leader(self) -> bool:
        """Tell whether this replica may write: a process that was frozen past its lease knows it by the clock alone."""
        return self._clock() < self._until

    async def gained(self) -> None:
        """Wait until this replica leads."""
        await self._gained.wait()

    async def lost(self) -> None:
        """Wait until it does not lead any more."""
        await self._lost.wait()

    async def run(self) -> None:
        """Strive for the Lease, and keep it, until cancelled."""
        while True:
            await self._try()
            self._notice()
            if not self._gained.is_set():
                self._beat()
            await asyncio.sleep(self._pause())

    async def release(self) -> None:
        """Stop leading and let another replica take over at once; to be called when `run` is cancelled."""
        lease, self._mine, self._until = self._mine, None, _NEVER
        self._notice()
        if lease is None:
            return
        try:
            async with asyncio.timeout(self._terms.retry_period):
                await self._give_up(lease)
        except (FailureError, StaleObservationError, TimeoutError):
            logger.info("the Lease could not be given up, so another replica takes over when it runs out")

    async def _give_up(self, lease: Lease) -> None:
        try:
            await self._door.release(lease)
        except StaleObservationError:
            # A renewal that was cut off may have arrived all the same.
            now = await self._door.read()
            if now is not None and now.holder == self._me:
                await self._door.release(now)

    async def _try(self) -> None:
        patience = self._terms.request_timeout
        if self.is_leader():
            patience = min(patience, self._until - self._clock())
        trouble = ""
        try:
            async with asyncio.timeout(patience):
                await self._bid()
        except TimeoutError:
            trouble = "the API server does not answer"
        except FailureError as error:
            trouble = str(error)
        except StaleObservationError:
            self._seen = None  # another replica was quicker; the next look tells
        self._tell(trouble)

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            logger.warning("leadership: %s", trouble)
        elif self._trouble and not trouble:
            logger.info("leadership: the Lease can be reached again")
        self._trouble = trouble

    async def _bid(self) -> None:
        if self._mine is None:
            await self._look()
            return
        try:
            await self._write(self._door.renew(self._mine))
        except StaleObservationError:
            self._mine = None  # somebody has written it: a look tells who
            await self._look()

    async def _look(self) -> None:
        lease = await self._door.read()
        if lease is None:
            self._until = _NEVER
            await self._write(self._door.create(self._me, self._duration))
            return
        # The time after the look: what was seen cannot have been written later.
        now = self._clock()
        self._seen = self._seen.followed_by(lease, now) if self._seen else LeaseObservation(lease=lease, since=now)
        if lease.holder != self._me:
            self._until = _NEVER
        if self._seen.free_at(self._me) <= now:
            await self._write(self._door.take(lease, self._me, self._duration))

    async def _write(self, write: Awaitable[Lease]) -> None:
        # The time before the write: others may count from the moment when it arrives.
        began = self._clock()
        self._mine = await write
        self._until = began + self._terms.renew_deadline

    def _notice(self) -> None:
        if self.is_leader() == self._gained.is_set():
            return
        if self.is_leader():
            logger.info("this replica leads, as %s", self._me)
            self._gained.set()
            self._lost.clear()
        else:
            logger.info("this replica does not lead any more; it stands by")
            self._lost.set()
            self._gained.clear()

    def _pause(self) -> float:
        """Give the seconds until the next try."""
        if self._mine is not None:
            renewed = self._clock() < self._until - self._terms.renew_deadline + self._terms.renew_interval
            return self._terms.renew_interval if renewed else self._terms.retry_period
        wait = self._seen.free_at(self._me) - self._clock() if self._seen else 0
        return min(wait, self._terms.retry_period) if wait > 0 else self._terms.retry_period
