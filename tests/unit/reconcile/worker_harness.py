"""A worker with everything around it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.worker import Worker
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now


class WorkerHarness:
    """A worker with everything around it: each look takes a second, unless a test says otherwise."""

    def __init__(self, concurrency: int = 4) -> None:
        self.looks: list[tuple[str, float]] = []
        self.running: set[str] = set()
        self.most = 0
        self.first: set[str] = set()
        self.beats: list[datetime] = []
        self.results: list[tuple[str, float]] = []
        self.behaviour: dict[str, Callable[[], Awaitable[datetime | None]]] = {}
        self.worker = Worker(
            self._reconcile,
            priority=lambda name: Priority.NEW if name in self.first else Priority.ROTATION,
            clock=now,
            chance=FixedRandom(),
            gauges=self,
            concurrency=concurrency,
        )

    def set_heartbeat(self, now: datetime) -> None:
        self.beats.append(now)

    def observe_reconcile(self, result: str, seconds: float) -> None:
        self.results.append((result, seconds))

    def names(self) -> list[str]:
        return [name for name, _ in self.looks]

    async def _reconcile(self, name: str) -> datetime | None:
        assert name not in self.running, f"{name} is looked at twice at once"
        self.looks.append((name, asyncio.get_running_loop().time()))
        self.running.add(name)
        self.most = max(self.most, len(self.running))
        try:
            return await self.behaviour.get(name, _a_second)()
        finally:
            self.running.discard(name)


async def _a_second() -> None:
    await asyncio.sleep(1)


def raising(error: Exception) -> Callable[[], Awaitable[datetime | None]]:
    async def fail() -> datetime | None:
        raise error

    return fail


def failing(reason: Reason) -> Callable[[], Awaitable[datetime | None]]:
    return raising(FailureError(Failure(reason=reason, message="no")))


@asynccontextmanager
async def working(house: WorkerHarness) -> AsyncIterator[Worker]:
    task = asyncio.create_task(house.worker.run())
    try:
        yield house.worker
    finally:
        house.worker.stop()
        await task
