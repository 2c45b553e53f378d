"""The due-queue: who is to be looked at when, the first Secret of a namespace ahead of everything else."""

import asyncio
import heapq
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError, NotLeadingError, StaleObservationError
from pullkeeper.domain.secret.plan import Priority

logger = logging.getLogger(__name__)

HEARTBEAT = timedelta(seconds=5)
"""The longest time that the worker sleeps, so that its heartbeat tells a stuck process from an idle one."""


_SLACK = 64
"""So many outdated tickets may lie in a priority before it is swept."""


class Gauges(Protocol):
    """What the worker tells of itself."""

    def set_heartbeat(self, now: datetime) -> None:
        """The worker has come round."""

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """One namespace was looked at."""


Reconcile = Callable[[str], Awaitable[datetime | None]]
"""Looks at one namespace and tells when to look again; raises FailureError or StaleObservationError to be called
again after a backoff."""


@dataclass(frozen=True, slots=True, order=True)
class _Ticket:
    at: datetime
    number: int
    name: str
    priority: Priority


class Worker:
    """Calls `reconcile` for each namespace when it is due, never twice at once for the same one."""

    def __init__(
        self,
        reconcile: Reconcile,
        *,
        priority: Callable[[str], Priority],
        clock: Callable[[], datetime],
        chance: random.Random,
        gauges: Gauges,
        concurrency: int,
    ) -> None:
        self._reconcile = reconcile
        self._lane = priority
        self._clock = clock
        self._chance = chance
        self._gauges = gauges
        self._concurrency = concurrency
        self._tickets: dict[Priority, list[_Ticket]] = {priority: [] for priority in Priority}
        self._valid: dict[str, _Ticket] = {}
        self._numbers = 0
        self._running: dict[str, Priority] = {}
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._stopping = False

    def wake(self, name: str) -> None:
        """Look at this namespace now (or once more, when it is being looked at)."""
        if name in self._running:
            self._again.add(name)
        elif not self._waits(name):
            self._book(name, self._clock())

    def depth(self, priority: Priority) -> int:
        """Count the namespaces of a priority that are due and wait for a slot."""
        now = self._clock()
        return sum(ticket.at <= now for ticket in self._tickets[priority] if self._holds(ticket))

    def stop(self) -> None:
        """Begin nothing more; `run` ends when what is under way is done."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Work until told to stop."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._gauges.set_heartbeat(self._clock())
                self._changed.clear()
                for name, priority in self._take():
                    self._running[name] = priority
                    group.create_task(self._look_at(name), name=f"reconcile {name}")
                await self._sleep()

    def _book(self, name: str, at: datetime) -> None:
        self._numbers += 1
        self._valid[name] = ticket = _Ticket(at, self._numbers, name, self._lane(name))
        tickets = self._tickets[ticket.priority]
        heapq.heappush(tickets, ticket)
        if len(tickets) > 2 * len(self._valid) + _SLACK:
            tickets[:] = sorted(filter(self._holds, tickets))
        self._changed.set()

    def _waits(self, name: str) -> bool:
        """Whether it is due already, in its priority: a new ticket would put it at the end of the queue."""
        ticket = self._valid.get(name)
        return ticket is not None and ticket.at <= self._clock() and ticket.priority is self._lane(name)

    def _holds(self, ticket: _Ticket) -> bool:
        return self._valid.get(ticket.name) is ticket

    def _take(self) -> list[tuple[str, Priority]]:
        """Take what is due, as far as there are slots; rotations leave one free for a first Secret."""
        taken: list[tuple[str, Priority]] = []
        now = self._clock()
        for priority, slots in ((Priority.NEW, self._concurrency), (Priority.ROTATION, self._concurrency - 1)):
            while len(self._running) + len(taken) < slots and (ticket := self._due(priority, now)):
                heapq.heappop(self._tickets[priority])
                del self._valid[ticket.name]
                taken.append((ticket.name, priority))
        return taken

    def _due(self, priority: Priority, now: datetime) -> _Ticket | None:
        ticket = self._head(priority)
        return ticket if ticket and ticket.at <= now else None

    def _head(self, priority: Priority) -> _Ticket | None:
        heap = self._tickets[priority]
        while heap and not self._holds(heap[0]):
            heapq.heappop(heap)
        return heap[0] if heap else None

    async def _sleep(self) -> None:
        """Until something is due and can be taken, or something changes, or the heart has to beat."""
        now = self._clock()
        wait = HEARTBEAT
        for priority in Priority:
            head = self._head(priority)
            if head and head.at > now:
                wait = min(wait, head.at - now)
        try:
            await asyncio.wait_for(self._changed.wait(), wait.total_seconds())
        except TimeoutError:
            return

    async def _look_at(self, name: str) -> None:
        started = self._clock()
        result = "error"
        again: datetime | None = None
        try:
            again = await self._reconcile(name)
            self._failures.pop(name, None)
            result = "success"
        except FailureError as error:
            again = self._back_off(name, denied=error.failure.reason.requires_action)
            # The reconciler has told it, once for all the tries.
            logger.debug("namespace/%s: %s; next try at %s", name, error, _short(again))
        except (StaleObservationError, NotLeadingError):
            # The watch will tell what has changed, and wake us; should it not, we look again, ever less often.
            again = self._back_off(name, denied=False)
        except Exception as error:  # noqa: BLE001 -- one namespace's surprise must not stop the others
            again = self._back_off(name, denied=False)
            # Without the text of the exception: nobody can say what a foreign library puts there.
            where = _where(error)
            logger.error(  # noqa: TRY400 -- a traceback could show more than its place
                "namespace/%s: unexpected %s at %s; next try at %s",
                name,
                type(error).__name__,
                where,
                _short(again),
            )
        finally:
            self._gauges.observe_reconcile(result, (self._clock() - started).total_seconds())
            self._finish(name, again)

    def _finish(self, name: str, again: datetime | None) -> None:
        del self._running[name]
        if name in self._again:
            self._again.discard(name)
            self._book(name, self._clock())
        elif again is not None:
            self._book(name, again)
        self._changed.set()

    def _back_off(self, name: str, *, denied: bool) -> datetime:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        return self._clock() + retry_delay(failures, self._chance.random(), denied=denied)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "an unknown place"


def _short(moment: datetime) -> str:
    return f"{moment:%H:%M:%SZ}"
