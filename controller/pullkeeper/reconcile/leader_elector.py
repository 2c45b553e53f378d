"""Leader election: one replica holds the Lease and acts, the others wait with warm caches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.errors.failures import FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.lease import Lease, LeaseObservation, LeaseTimings

logger = logging.getLogger(__name__)

_NEVER = float("-inf")
_DENIALS = 3
"""So many denied tries in a row are no accident of a starting API server."""


class LeaseClient(Protocol):
    """Reads and writes the Lease.

    Each method raises FailureError, and a write raises StaleObservationError if the Lease has changed meanwhile.
    """

    async def read(self) -> Lease | None:
        """Read the Lease; None if it does not exist."""
        ...

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Create the Lease."""
        ...

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take over exactly the Lease that was observed."""
        ...

    async def renew(self, lease: Lease) -> Lease:
        """Renew the Lease for its holder."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give up the Lease, so that another replica may take it at once."""
        ...


class NoElection:
    """What stands in for leader election where there is only one replica: it always leads."""

    def is_leader(self) -> bool:
        """Whether this replica may write: always."""
        return True

    async def gained(self) -> None:
        """Wait until this replica leads."""

    async def lost(self) -> None:
        """Wait until this replica does not lead any more: for ever."""
        await asyncio.Event().wait()

    async def run(self) -> None:
        """Do nothing, until cancelled."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Do nothing: there is no Lease."""

    def forget_version(self) -> None:
        """Do nothing: there is no Lease."""

    def is_denied(self) -> bool:
        """Return False: there is no Lease."""
        return False


class LeaderElector:
    """Acquires and renews the Lease.

    `is_leader` is true only while this replica may write, at every instant; `gained` and `lost` follow it when `run`
    notices.
    """

    def __init__(
        self,
        client: LeaseClient,
        *,
        holder_id: str,
        duration: timedelta,
        clock: Callable[[], float],
        heartbeat: Callable[[], None],
        on_went_back: Callable[[int], None] = lambda _version: None,
    ) -> None:
        """Not leading yet.

        `clock` gives seconds that go on while the process is frozen and while the machine sleeps. `heartbeat` is
        called at each try while this replica does not lead, `on_went_back` when the Lease is older than before.
        """
        self._client = client
        self._holder_id = holder_id
        self._duration = duration
        self._timings = LeaseTimings(duration=duration)
        self._clock = clock
        self._heartbeat = heartbeat
        self._on_went_back = on_went_back
        self._version = 0
        self._held: Lease | None = None
        self._may_hold = False
        """Whether a write was sent whose outcome is not known: it may have made this replica the holder."""
        self._observed: LeaseObservation | None = None
        self._leads_until = _NEVER
        self._failure = ""
        self._denied_in_a_row = 0
        self._gained = asyncio.Event()
        self._lost = asyncio.Event()

    def forget_version(self) -> None:
        """Compare the version of the Lease with nothing that was seen before."""
        self._version = 0

    def is_leader(self) -> bool:
        """Whether this replica may write; the clock decides, so a process that was frozen past its lease may not."""
        return self._clock() < self._leads_until

    def is_denied(self) -> bool:
        """Whether the last tries were denied because a right is missing."""
        return self._denied_in_a_row >= _DENIALS

    async def gained(self) -> None:
        """Wait until this replica leads."""
        await self._gained.wait()

    async def lost(self) -> None:
        """Wait until this replica does not lead any more."""
        await self._lost.wait()

    async def run(self) -> None:
        """Acquire the Lease and renew it, until cancelled."""
        while True:
            await self._attempt()
            self._notify()
            if not self._gained.is_set():
                self._heartbeat()
            await asyncio.sleep(self._delay())

    async def release(self) -> None:
        """Stop leading, and let another replica take over at once; to be called after `run` was cancelled."""
        lease, self._held, self._leads_until = self._held, None, _NEVER
        self._notify()
        if lease is None and not self._may_hold:
            return
        try:
            async with asyncio.timeout(self._timings.retry_period):
                await self._release(lease)
        except (FailureError, StaleObservationError, TimeoutError):
            logger.info("the Lease could not be given up, so another replica takes over when it runs out")

    async def _release(self, lease: Lease | None) -> None:
        if lease is not None:
            with suppress(StaleObservationError):
                await self._client.release(lease)
                return
        # A write whose response was not waited for has arrived all the same.
        current = await self._client.read()
        if current is not None and current.holder == self._holder_id:
            await self._client.release(current)

    async def _attempt(self) -> None:
        timeout = self._timings.request_timeout
        if self.is_leader():
            timeout = min(timeout, self._leads_until - self._clock())
        failure, denied = "", False
        try:
            async with asyncio.timeout(timeout):
                await self._acquire_or_renew()
        except TimeoutError:
            failure = "the API server does not answer"
        except FailureError as error:
            failure, denied = str(error), error.failure.reason is Reason.KUBERNETES_DENIED
        except StaleObservationError:
            self._observed = None  # Another replica was quicker; the next read shows which.
        self._denied_in_a_row = self._denied_in_a_row + 1 if denied else 0
        self._log(failure)

    def _log(self, failure: str) -> None:
        if failure and not self._failure:
            logger.warning("leadership: %s", failure)
        elif self._failure and not failure:
            logger.info("leadership: the Lease can be reached again")
        self._failure = failure

    async def _acquire_or_renew(self) -> None:
        if self._held is None:
            await self._acquire()
            return
        try:
            await self._write(self._client.renew(self._held))
        except StaleObservationError:
            self._held = None  # Somebody has written it; reading shows who.
            await self._acquire()

    async def _acquire(self) -> None:
        lease = await self._client.read()
        if lease is None:
            self._leads_until = _NEVER
            await self._write(self._client.create(self._holder_id, self._duration))
            return
        self._note_version(lease)
        # The time after the read: what was read cannot have been written later.
        now = self._clock()
        self._observed = (
            self._observed.followed_by(lease, now) if self._observed else LeaseObservation(lease=lease, since=now)
        )
        if lease.holder != self._holder_id:
            self._leads_until = _NEVER
        if self._observed.free_at(self._holder_id) <= now:
            await self._write(self._client.take(lease, self._holder_id, self._duration))

    async def _write(self, write: Awaitable[Lease]) -> None:
        # The time before the write: other replicas may count from the moment when it arrives.
        started = self._clock()
        self._may_hold = True
        self._held = await write
        self._may_hold = False
        self._leads_until = started + self._timings.renew_deadline
        self._note_version(self._held)

    def _note_version(self, lease: Lease) -> None:
        """Compare the version, the one in the cluster that is renewed every few seconds."""
        before, self._version = self._version, int(lease.version)
        if self._version < before:
            self._on_went_back(self._version)

    def _notify(self) -> None:
        if self.is_leader() == self._gained.is_set():
            return
        if self.is_leader():
            logger.info("this replica leads, as %s", self._holder_id)
            self._gained.set()
            self._lost.clear()
        else:
            logger.info("this replica does not lead any more; it stands by")
            self._lost.set()
            self._gained.clear()

    def _delay(self) -> float:
        """Return the seconds until the next attempt."""
        if self._held is not None:
            renewed = self._clock() < self._leads_until - self._timings.renew_deadline + self._timings.renew_interval
            return self._timings.renew_interval if renewed else self._timings.retry_period
        wait = self._observed.free_at(self._holder_id) - self._clock() if self._observed else 0
        return min(wait, self._timings.retry_period) if wait > 0 else self._timings.retry_period
