"""A Lease as an API server keeps it, and replicas that reach it over good and bad networks, in virtual time."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.lease import Lease
from pullkeeper.reconcile.leader_elector import LeaderElector

DURATION = timedelta(seconds=15)
AWAY = FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the API server is away"))


@dataclass
class FakeLeaseServer:
    """An API server with one Lease: each write names the version that it replaces."""

    lease: Lease | None = None
    writes: list[Lease] = field(default_factory=list)
    up: bool = True
    failure: FailureError = AWAY
    """What is raised while it is not up."""

    def write(self, lease: Lease, over: Lease | None) -> Lease:
        """Write the Lease if the current one is exactly the one that is replaced."""
        if not self.up:
            raise self.failure
        if (self.lease.version if self.lease else None) != (over.version if over else None):
            raise StaleObservationError("lease/pullkeeper")
        self.lease = replace(lease, version=str(len(self.writes) + 1))
        self.writes.append(self.lease)
        return self.lease


class FakeLeaseClient:
    """One replica's connection to the API server, with delays and losses of its own."""

    def __init__(
        self, server: FakeLeaseServer, delay: Callable[[], float], lost: Callable[[], bool] = lambda: False
    ) -> None:
        self._server = server
        self._delay = delay
        self._lost = lost
        self.reads = 0
        self.cut_until = 0.0
        """Until then nothing that this replica sends arrives, in seconds of the loop."""

    async def read(self) -> Lease | None:
        """Read after a delay; the response is delayed as well."""
        self.reads += 1
        await asyncio.sleep(self._delay())
        if not self._server.up:
            raise self._server.failure
        if self._cut:
            raise AWAY
        found = self._server.lease
        await asyncio.sleep(self._delay())
        return found

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Create the Lease."""
        return await self._send(Lease(uid="a", version="", holder=holder, duration=duration), None)

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take the Lease over."""
        turns = lease.transitions + 1
        return await self._send(replace(lease, holder=holder, duration=duration, transitions=turns), lease)

    async def renew(self, lease: Lease) -> Lease:
        """Renew the Lease."""
        return await self._send(lease, lease)

    async def release(self, lease: Lease) -> None:
        """Release the Lease."""
        await self._send(replace(lease, holder=""), lease)

    async def _send(self, lease: Lease, over: Lease | None) -> Lease:
        """Write: a request that was sent arrives, even if nobody waits for the response; a response may be lost."""
        if self._cut:
            raise AWAY
        loop = asyncio.get_running_loop()
        response: asyncio.Future[Lease] = loop.create_future()
        loop.call_later(self._delay(), self._arrive, response, lease, over)
        found = await response
        await asyncio.sleep(self._delay())
        if self._lost():
            raise AWAY
        return found

    @property
    def _cut(self) -> bool:
        return asyncio.get_running_loop().time() < self.cut_until

    def _arrive(self, response: "asyncio.Future[Lease]", lease: Lease, over: Lease | None) -> None:
        result: Lease | None = None
        error: Exception | None = None
        try:
            result = self._server.write(lease, over)
        except (StaleObservationError, FailureError) as raised:
            error = raised
        if response.done():
            return
        if result is not None:
            response.set_result(result)
        elif error is not None:
            response.set_exception(error)


class Replica:
    """A running replica."""

    def __init__(self, name: str, server: FakeLeaseServer, *, delay: float | Callable[[], float] = 0.01) -> None:
        self.heartbeats = 0
        self.went_back: list[int] = []
        self.client = FakeLeaseClient(server, delay if callable(delay) else lambda: delay)
        self.elector = LeaderElector(
            self.client,
            holder_id=name,
            duration=DURATION,
            clock=asyncio.get_running_loop().time,
            heartbeat=self._heartbeat,
            on_went_back=self.went_back.append,
        )
        self._task = asyncio.create_task(self.elector.run())

    def _heartbeat(self) -> None:
        self.heartbeats += 1

    @property
    def leads(self) -> bool:
        """Whether it may write now."""
        return self.elector.is_leader()

    async def kill(self) -> None:
        """Kill it, so that it releases nothing."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def stop(self) -> None:
        """Shut it down, so that it releases the Lease."""
        await self.kill()
        await self.elector.release()


def stormy(rng: random.Random) -> Callable[[], float]:
    """Draw the delay of a request or a response in seconds: mostly short, sometimes longer than any lease."""

    def delay() -> float:
        draw = rng.random()
        return rng.uniform(0, 0.05) if draw < 0.9 else rng.uniform(0, 4 if draw < 0.98 else 40)

    return delay
