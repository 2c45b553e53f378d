"""The worker: processes the work queue, with bounded concurrency and backoff."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError, NotLeadingError, StaleObservationError
from pullkeeper.domain.secret.plan import Priority
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


Reconcile = Callable[[str], Awaitable[datetime | None]]
"""Reconciles one namespace and returns when to do so again; raises FailureError or StaleObservationError to be called
again after a backoff."""


class Worker:
    """Pops names from the queue and reconciles each in a task of its own."""

    def __init__(
        self,
        queue: WorkQueue,
        reconcile: Reconcile,
        *,
        priority_of: Callable[[str], Priority],
        clock: Callable[[], datetime],
        rng: random.Random,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._priority_of = priority_of
        self._clock = clock
        self._rng = rng
        self._metrics = metrics
        self._failures: dict[str, int] = {}

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
        """Reconcile a name, and return when to do so again."""
        started = self._clock()
        result = "error"
        requeue_at: datetime | None = None
        try:
            requeue_at = await self._reconcile(name)
            self._failures.pop(name, None)
            result = "success"
        except FailureError as error:
            requeue_at = self._back_off(name, denied=error.failure.reason.requires_action)
            # At DEBUG, because the reconciler has reported the failure once for all retries.
            logger.debug("namespace/%s: %s; next try at %s", name, error, _short(requeue_at))
        except (StaleObservationError, NotLeadingError):
            # The watch brings what has changed and queues the name; the retry is for a watch that misses it.
            requeue_at = self._back_off(name, denied=False)
        except Exception as error:  # noqa: BLE001 -- one namespace's unexpected error must not stop the others
            requeue_at = self._back_off(name, denied=False)
            # The exception's text is left out: a library may put anything there, a token included.
            logger.error(  # noqa: TRY400 -- for the same reason no traceback
                "namespace/%s: unexpected %s at %s; next try at %s",
                name,
                type(error).__name__,
                _where(error),
                _short(requeue_at),
            )
        finally:
            self._metrics.observe_reconcile(result, (self._clock() - started).total_seconds())
        return requeue_at

    def _done(self, name: str, task: asyncio.Task[datetime | None]) -> None:
        ended = not task.cancelled() and task.exception() is None
        self._queue.done(name, task.result() if ended else None)

    def _back_off(self, name: str, *, denied: bool) -> datetime:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        return self._clock() + retry_delay(failures, self._rng.random(), requires_action=denied)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "an unknown place"


def _short(moment: datetime) -> str:
    return f"{moment:%H:%M:%SZ}"
