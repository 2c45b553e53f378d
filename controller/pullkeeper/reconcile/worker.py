"""The worker: processes the work queue, with bounded concurrency and backoff."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from pullkeeper.domain.errors.backoff import LONGEST_RETRY, retry_delay
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, NotLeadingError, StaleObservationError
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.work_queue import WorkQueue

logger = logging.getLogger(__name__)

HEARTBEAT = timedelta(seconds=5)
"""The longest time that the worker sleeps, so that its heartbeat tells a stuck process from an idle one."""


class Metrics(Protocol):
    """What the worker reports about itself."""

    def set_heartbeat(self, now: datetime) -> None:
        """Record that the worker loop is running."""

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count one reconciliation and observe its duration."""


class SupportsReconcile(Protocol):
    """A reconciler; it may raise StaleObservationError, NamespaceGoneError or NotLeadingError."""

    async def reconcile(self, name: str) -> Result:
        """Bring one namespace closer to what is requested."""
        ...


class Worker:
    """Pops names from the queue and runs all reconcilers for each, in order, in a task of its own."""

    def __init__(
        self,
        queue: WorkQueue,
        reconcilers: Sequence[SupportsReconcile],
        *,
        priority_of: Callable[[str], Priority],
        records: NamespaceRecords,
        reporter: StatusReporter,
        clock: Callable[[], datetime],
        rng: random.Random,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._reconcilers = reconcilers
        self._priority_of = priority_of
        self._records = records
        self._reporter = reporter
        self._clock = clock
        self._rng = rng
        self._metrics = metrics

    def depth(self, priority: Priority) -> int:
        """Count the ready namespaces of a priority that wait for a slot."""
        return self._queue.depth(priority, self._priority_of)

    async def run(self) -> None:
        """Process the queue until it is shut down, then wait for what is being processed."""
        async with asyncio.TaskGroup() as group:
            while not self._queue.is_shut_down:
                self._metrics.set_heartbeat(self._clock())
                while (name := self._queue.pop(self._priority_of)) is not None:
                    task = group.create_task(self._process(name), name=f"reconcile {name}")
                    # A callback, because a task that is cancelled before its first step runs no `finally`.
                    task.add_done_callback(partial(self._done, name))
                await self._queue.wait(HEARTBEAT)

    async def _process(self, name: str) -> datetime | None:
        """Reconcile a namespace; return when to do so again."""
        started, record = self._clock(), self._records.get(name)
        result, results, retry_at = "error", list[Result](), None
        try:
            await self._reconcile(name, record, results)
            record.failed_attempts = 0
            result = "success"
        except NamespaceGoneError:
            retry_at = self._clock() + LONGEST_RETRY
            result = "success"
        except FailureError as error:
            retry_at = self._back_off(record, requires_action=error.failure.reason.requires_action)
            # At DEBUG, because it has been reported once for all retries.
            logger.debug("namespace/%s: %s; next try at %s", name, error, _short(retry_at))
        except (StaleObservationError, NotLeadingError):
            # The watch brings what has changed and queues the name; the retry is for a watch that misses it.
            retry_at = self._back_off(record, requires_action=False)
        except Exception as error:  # noqa: BLE001 -- one namespace's unexpected error must not stop the others
            retry_at = self._back_off(record, requires_action=False)
            # The exception's text is left out: a library may put anything there, a token included.
            logger.error(  # noqa: TRY400 -- for the same reason no traceback
                "namespace/%s: unexpected %s at %s; next try at %s",
                name,
                type(error).__name__,
                _where(error),
                _short(retry_at),
            )
        finally:
            self._metrics.observe_reconcile(result, (self._clock() - started).total_seconds())
        # What stopped one reconciler does not delay what another one has to do.
        return min(filter(None, (retry_at, *(each.requeue_at for each in results))), default=None)

    async def _reconcile(self, name: str, record: NamespaceRecord, results: list[Result]) -> None:
        """Run the reconcilers, add their results, and report them; raise what stopped the first one of them."""
        try:
            for reconciler in self._reconcilers:
                results.append(await reconciler.reconcile(name))
                if isinstance(results[-1].error, StaleObservationError):
                    break
        finally:
            if results:
                self._reporter.report(name, record, results)
        if error := next(filter(None, (result.error for result in results)), None):
            raise error
        if not any(result.status for result in results):
            self._records.reset(name)

    def _back_off(self, record: NamespaceRecord, *, requires_action: bool) -> datetime:
        record.failed_attempts += 1
        return self._clock() + retry_delay(record.failed_attempts, self._rng.random(), requires_action=requires_action)

    def _done(self, name: str, task: asyncio.Task[datetime | None]) -> None:
        ended = not task.cancelled() and task.exception() is None
        self._queue.done(name, task.result() if ended else None)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "an unknown place"


def _short(moment: datetime) -> str:
    return f"{moment:%H:%M:%SZ}"
