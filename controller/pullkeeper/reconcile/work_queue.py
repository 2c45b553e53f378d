"""The work queue: which namespace to reconcile next, first Secrets ahead of everything else."""

import asyncio
import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pullkeeper.domain.errors.failures import NotLeadingError
from pullkeeper.domain.reporting.rate_limiter import AWS_CALL_COST, RECONCILES, RateLimiter
from pullkeeper.domain.secret.plan import Priority

_MAX_WAITING = 16
"""How many names may wait for others for each slot; beyond that, waiting takes slots as processing does."""
_STALE_ITEMS = 64
"""Compact the heap once it holds this many stale items beyond one for each current item."""


@dataclass(frozen=True, slots=True, order=True)
class _Item:
    at: datetime
    number: int
    name: str


class WorkQueue:
    """Names of namespaces that wait to be reconciled, with the guarantees of client-go's work queue.

    - A name is queued at most once: adding it again before it is popped changes nothing, so bursts coalesce.
    - A name is processed by one task at a time. Adding it while it is processed marks it dirty, and `done` queues it
      again: no change is lost, and none is processed twice at once.
    - What changes in a namespace is charged to its budget: beyond that, changes wait, and coalesce meanwhile.
    - A scheduled name (`done` with `requeue_at`) waits until then, or until it is added, whichever comes first.

    As in controller-runtime's priority queue, a ready name of Priority.NEW is popped before any of Priority.ROTATION,
    each in the order in which they became ready. In addition, rotations leave one of `max_concurrent` slots free, so
    a first Secret never waits for a rotation to finish. What waits for others takes no slot. The priority of a name is
    asked when it becomes ready, and again when it is added while it waits: it keeps its place unless its priority has
    changed.
    """

    def __init__(self, *, clock: Callable[[], datetime], max_concurrent: int) -> None:
        self._clock = clock
        self._slots = {Priority.NEW: max_concurrent, Priority.ROTATION: max_concurrent - 1}
        self._heap: list[_Item] = []
        self._scheduled: dict[str, _Item] = {}
        """The current item of each name; any other item of it in the heap is stale."""
        self._numbers = 0
        self._ready: dict[Priority, OrderedDict[str, None]] = {priority: OrderedDict() for priority in Priority}
        self._max_waiting = max_concurrent * _MAX_WAITING
        self._processing: dict[str, Priority] = {}
        self._waiting: Counter[str] = Counter()
        """For how much each name waits that is being processed."""
        self._dirty: dict[str, datetime] = {}
        """When to queue what was added while it was processed."""
        self._budgets = RateLimiter(RECONCILES)
        self._changed_at: dict[str, datetime] = {}
        """When changes that are paid for may be processed, by the names that wait for it."""
        self._charged: set[str] = set()
        """What is being processed because of a change."""
        self._returning: dict[Priority, deque[tuple[str, asyncio.Future[None]]]] = {each: deque() for each in Priority}
        """Those that have waited and need a slot again, the first one first."""
        self._changed = asyncio.Event()
        self._shut_down = False

    def add(self, name: str) -> None:
        """Queue a name now, or once more when the task that processes it is done."""
        self._add(name, self._clock())

    def add_changed(self, name: str) -> None:
        """Queue a name because an object of the namespace has changed, as soon as its budget allows."""
        now, at = self._clock(), self._changed_at.get(name)
        if at is None:
            at = self._changed_at[name] = self._budgets.reserve(name, now)
        self._add(name, max(at, now))

    def charge_aws_call(self, name: str) -> None:
        """Charge a call to AWS to a namespace that is processed because of a change."""
        if name in self._charged:
            self._budgets.reserve(name, self._clock(), AWS_CALL_COST)

    def pop(self, priority_of: Callable[[str], Priority]) -> str | None:
        """Take the next name and start processing it; None where nothing is ready or no slot is free."""
        if self._shut_down:
            return None
        self._promote(priority_of)
        busy = len(self._processing) - min(len(self._waiting), self._max_waiting)
        for priority, slots in self._slots.items():
            if self._returning[priority]:
                return None
            if self._ready[priority] and busy < slots:
                name, _ = self._ready[priority].popitem(last=False)
                self._start(name, priority)
                return name
        return None

    @asynccontextmanager
    async def waiting(self, name: str) -> AsyncIterator[None]:
        """Give up the slot of a name that is processed, until what others do for it is done and a slot is free again.

        Raise NotLeadingError where the queue was shut down meanwhile: nothing more is begun. A name may wait for
        several things at once; it goes on with the last of them.
        """
        self._waiting[name] += 1
        self._changed.set()
        self._admit_returning()
        try:
            yield
        except BaseException:
            self._stop_waiting(name)
            raise
        if self._waiting[name] > 1:
            self._stop_waiting(name)
        else:
            await self._regain_slot(name)

    def _stop_waiting(self, name: str) -> None:
        self._waiting[name] -= 1
        if not self._waiting[name]:
            del self._waiting[name]

    async def _regain_slot(self, name: str) -> None:
        """Wait for a free slot, ahead of the names that are only queued with the same priority."""
        turn = asyncio.get_running_loop().create_future()
        self._returning[self._processing[name]].append((name, turn))
        self._admit_returning()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._stop_waiting(name)
            raise
        if self._shut_down:
            raise NotLeadingError(name)

    def _admit_returning(self) -> None:
        """Give the free slots to those that need one again; after the shutdown, let everyone go."""
        for priority, slots in self._slots.items():
            returning = self._returning[priority]
            while returning and (self._shut_down or len(self._processing) - len(self._waiting) < slots):
                name, turn = returning.popleft()
                if not turn.done():
                    self._stop_waiting(name)
                    turn.set_result(None)

    def done(self, name: str, requeue_at: datetime | None = None) -> None:
        """End processing a name; queue it again if it is dirty, or at `requeue_at`, if given."""
        self._processing.pop(name, None)
        self._charged.discard(name)
        times = [at for at in (requeue_at, self._dirty.pop(name, None)) if at is not None]
        if times:
            self._schedule(name, min(times))
        self._changed.set()
        self._admit_returning()

    def depth(self, priority: Priority, priority_of: Callable[[str], Priority]) -> int:
        """Count the ready names of a priority that wait for a slot."""
        self._promote(priority_of)
        return len(self._ready[priority])

    async def wait(self, timeout: timedelta) -> None:  # noqa: ASYNC109 -- the worker's heartbeat, not a deadline
        """Wait until `pop` may give another name: one was added, done or has become ready; or for `timeout`."""
        self._changed.clear()
        if (item := self._head()) is not None:
            timeout = max(min(timeout, item.at - self._clock()), timedelta())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout.total_seconds()):
                await self._changed.wait()

    def shut_down(self) -> None:
        """Pop nothing more; what is being processed goes on."""
        self._shut_down = True
        self._changed.set()
        self._admit_returning()

    @property
    def is_shut_down(self) -> bool:
        """Whether the queue was shut down."""
        return self._shut_down

    def _start(self, name: str, priority: Priority) -> None:
        self._processing[name] = priority
        if self._changed_at.pop(name, None) is not None:
            self._charged.add(name)

    def _add(self, name: str, at: datetime) -> None:
        if name in self._processing:
            self._dirty[name] = min(at, self._dirty.get(name, at))
        else:
            self._schedule(name, at)

    def _schedule(self, name: str, at: datetime) -> None:
        current = self._scheduled.get(name)
        if current is not None and current.at <= at:
            return
        self._numbers += 1
        self._scheduled[name] = item = _Item(at, self._numbers, name)
        heapq.heappush(self._heap, item)
        if len(self._heap) > 2 * len(self._scheduled) + _STALE_ITEMS:
            self._heap = sorted(self._scheduled.values())
        self._changed.set()

    def _promote(self, priority_of: Callable[[str], Priority]) -> None:
        """Move every scheduled name whose time has come to the ready names of its priority."""
        for name in self._pop_scheduled():
            current = priority_of(name)
            for priority, names in self._ready.items():
                if priority is current:
                    names.setdefault(name)
                else:
                    names.pop(name, None)

    def _pop_scheduled(self) -> Iterator[str]:
        now = self._clock()
        while (item := self._head()) is not None and item.at <= now:
            heapq.heappop(self._heap)
            del self._scheduled[item.name]
            yield item.name

    def _head(self) -> _Item | None:
        while self._heap and self._scheduled.get(self._heap[0].name) is not self._heap[0]:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None
