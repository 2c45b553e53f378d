"""A worker and its queue, with reconciliations that a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.work_queue import WorkQueue
from pullkeeper.reconcile.worker import SupportsReconcile, Worker
from tests.unit.reconcile.reporter_harness import RecordedReports
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now

Script = Callable[[], Awaitable[Result | datetime | None]]
"""Gives the result of a reconciliation, or just when to requeue."""


class WorkerHarness:
    """A worker and its queue: each reconciliation takes a second, unless a test scripts another."""

    def __init__(self, *later: SupportsReconcile, max_concurrent: int = 4) -> None:
        self.reconciled_at: list[tuple[str, float]] = []
        self.running: set[str] = set()
        self.most_at_once = 0
        self.without_secret: set[str] = set()
        self.heartbeats: list[datetime] = []
        self.results: list[tuple[str, float]] = []
        self.script: dict[str, Script] = {}
        self.reports = RecordedReports()
        self.records = NamespaceRecords(applies_to=lambda _: True, clock=now)
        for name in "ab":
            self.records.observe(ObservedNamespace(name=name, uid=name, resource_version=1))
        self.queue = WorkQueue(clock=now, max_concurrent=max_concurrent)
        self.worker = Worker(
            self.queue,
            (self, *later),
            priority_of=lambda name: Priority.NEW if name in self.without_secret else Priority.ROTATION,
            records=self.records,
            reporter=StatusReporter(self.reports, self.reports, records=self.records, clock=now),
            clock=now,
            rng=FixedRandom(),
            metrics=self,
        )

    def set_heartbeat(self, now: datetime) -> None:
        self.heartbeats.append(now)

    def observe_reconcile(self, result: str, seconds: float) -> None:
        self.results.append((result, seconds))

    def names(self) -> list[str]:
        return [name for name, _ in self.reconciled_at]

    async def reconcile(self, name: str) -> Result:
        assert name not in self.running, f"{name} is reconciled twice at once"
        self.reconciled_at.append((name, asyncio.get_running_loop().time()))
        self.running.add(name)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            found = await self.script.get(name, _a_second)()
            return found if isinstance(found, Result) else Result(status=Status(secret=None), requeue_at=found)
        finally:
            self.running.discard(name)


async def _a_second() -> None:
    await asyncio.sleep(1)


def raising(error: Exception) -> Script:
    async def fail() -> Result:
        raise error

    return fail


def failing(reason: Reason) -> Script:
    async def fail() -> Result:
        failure = Failure(reason=reason, message="no")
        return Result(status=Status(secret=None), failures=(failure,), error=FailureError(failure))

    return fail


@asynccontextmanager
async def running(harness: WorkerHarness) -> AsyncIterator[WorkQueue]:
    """Run the worker; yield its queue, and shut that down at the end."""
    task = asyncio.create_task(harness.worker.run())
    try:
        yield harness.queue
    finally:
        harness.queue.shut_down()
        await task
