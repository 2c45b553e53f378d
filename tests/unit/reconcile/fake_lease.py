"""A Lease as an API server keeps it, and replicas that reach it through good and bad weather, in virtual time."""

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
class FakeLease:
    """The one Lease: each write names the version that it replaces."""

    lease: Lease | None = None
    writes: list[Lease] = field(default_factory=list)
    up: bool = True

    def write(self, lease: Lease, over: Lease | None) -> Lease:
        """Write it, if what is there is just what it replaces."""
        if not self.up:
            raise AWAY
        if (self.lease.version if self.lease else None) != (over.version if over else None):
            raise StaleObservationError("lease/pullkeeper")
        self.lease = replace(lease, version=str(len(self.writes) + 1))
        self.writes.append(self.lease)
        return self.lease


class Door:
    """One replica's way to the table, with its own delays and losses."""

    def __init__(self, table: FakeLease, way: Callable[[], float], lost: Callable[[], bool] = lambda: False) -> None:
        self._table = table
        self._way = way
        self._lost = lost
        self.reads = 0
        self.cut_until = 0.0
        """Until then nothing that this replica sends arrives."""

    async def read(self) -> Lease | None:
        """Look after a while; the answer takes its time as well."""
        self.reads += 1
        await asyncio.sleep(self._way())
        if not self._table.up or self._cut:
            raise AWAY
        found = self._table.lease
        await asyncio.sleep(self._way())
        return found

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Make it."""
        return await self._send(Lease(uid="a", version="", holder=holder, duration=duration), None)

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take it over."""
        turns = lease.transitions + 1
        return await self._send(replace(lease, holder=holder, duration=duration, transitions=turns), lease)

    async def renew(self, lease: Lease) -> Lease:
        """Renew it."""
        return await self._send(lease, lease)

    async def release(self, lease: Lease) -> None:
        """Give it up."""
        await self._send(replace(lease, holder=""), lease)

    async def _send(self, lease: Lease, over: Lease | None) -> Lease:
        """Write: what was sent arrives, even if nobody waits for the answer any more; an answer may be lost."""
        if self._cut:
            raise AWAY
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Lease] = loop.create_future()
        loop.call_later(self._way(), self._arrive, answer, lease, over)
        found = await answer
        await asyncio.sleep(self._way())
        if self._lost():
            raise AWAY
        return found

    @property
    def _cut(self) -> bool:
        return asyncio.get_running_loop().time() < self.cut_until

    def _arrive(self, answer: "asyncio.Future[Lease]", lease: Lease, over: Lease | None) -> None:
        result: Lease | None = None
        trouble: Exception | None = None
        try:
            result = self._table.write(lease, over)
        except (StaleObservationError, FailureError) as error:
            trouble = error
        if answer.done():
            return
        if result is not None:
            answer.set_result(result)
        elif trouble is not None:
            answer.set_exception(trouble)


class Replica:
    """One replica at work."""

    def __init__(self, name: str, table: FakeLease, *, way: float | Callable[[], float] = 0.01) -> None:
        self.beats = 0
        self.door = Door(table, way if callable(way) else lambda: way)
        self.leadership = LeaderElector(
            self.door, me=name, duration=DURATION, clock=asyncio.get_running_loop().time, beat=self._beat
        )
        self._task = asyncio.create_task(self.leadership.run())

    def _beat(self) -> None:
        self.beats += 1

    @property
    def leads(self) -> bool:
        """Whether it may write now."""
        return self.leadership.is_leader()

    async def kill(self) -> None:
        """End it without a word."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def stop(self) -> None:
        """End it in good order."""
        await self.kill()
        await self.leadership.release()


def stormy(chance: random.Random) -> Callable[[], float]:
    """Draw how long a request or an answer is on its way: mostly short, sometimes longer than any lease."""

    def way() -> float:
        draw = chance.random()
        return chance.uniform(0, 0.05) if draw < 0.9 else chance.uniform(0, 4 if draw < 0.98 else 40)

    return way
