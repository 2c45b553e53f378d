"""The order of calls to AWS: slots per region, first Secrets first, namespaces in turn, each call at a distance."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pullkeeper.tokens.demand import Demand

MAX_CONCURRENT = 4
"""Concurrent calls to one region."""
_INTERVAL = 0.2
"""Seconds between the starts of two calls to one region: a quarter of the lowest rate that AWS publishes (20 per
second)."""
_OTHERS = ""
MAX_ANSWERED = 256
"""Regions that have answered and are not listed; there are far fewer."""


_MAX_TURNS = 1024
"""Namespaces whose last turn is remembered; an older one counts as never."""


@dataclass(eq=False, kw_only=True, slots=True)
class _Waiter:
    demands: Sequence[Demand]
    """Those who wait for this call; it grows."""
    started: asyncio.Future[None]

    @property
    def first(self) -> bool:
        return any(demand.first for demand in self.demands)

    @property
    def namespaces(self) -> list[str]:
        return [name for demand in self.demands for name in demand.namespaces]


@dataclass(kw_only=True, slots=True)
class _Pool:
    running: int = 0
    waiting: list[_Waiter] = field(default_factory=list)
    may_start_at: float = 0.0
    timer: asyncio.TimerHandle | None = None
    turn: int = 0
    turns: dict[str, int] = field(default_factory=dict)
    """The last turn of each namespace, the latest last."""


class CallQueue:
    """Who may call AWS next. A region that is slow or hangs takes the slots of no other.

    Regions that are known have slots of their own. All others, which may be made up, share the slots of one.
    """

    def __init__(self, *, is_listed: Callable[[str], bool]) -> None:
        self._is_listed = is_listed
        self._answered: set[str] = set()
        self._pools: dict[str, _Pool] = {}

    def __len__(self) -> int:
        """Count the pools of slots."""
        return len(self._pools)

    def is_known(self, region: str) -> bool:
        """Whether a region has slots of its own, because it is listed or has answered."""
        return region in self._answered or self._is_listed(region)

    def record_answer(self, region: str) -> None:
        """Give a region that has answered slots of its own."""
        if not self._is_listed(region) and len(self._answered) < MAX_ANSWERED:
            self._answered.add(region)

    @asynccontextmanager
    async def slot(self, service: str, region: str, demands: Sequence[Demand]) -> AsyncIterator[None]:
        """Wait for the turn of a call and hold its slot; `demands` may grow until then."""
        pool = self._pools.setdefault(f"{service} {region}" if self.is_known(region) else _OTHERS, _Pool())
        waiter = _Waiter(demands=demands, started=asyncio.get_running_loop().create_future())
        pool.waiting.append(waiter)
        _dispatch(pool)
        try:
            await waiter.started
            yield
        finally:
            if waiter in pool.waiting:
                pool.waiting.remove(waiter)
            else:
                pool.running -= 1
            _dispatch(pool)


def _dispatch(pool: _Pool) -> None:
    loop = asyncio.get_running_loop()
    while pool.waiting and pool.running < MAX_CONCURRENT:
        if loop.time() < pool.may_start_at:
            # Who is next is decided then: a first Secret that comes meanwhile goes ahead.
            if pool.timer is None:
                pool.timer = loop.call_at(pool.may_start_at, _on_timer, pool)
            return
        _start(pool, min(pool.waiting, key=lambda waiter: _rank(pool, waiter)))
        pool.may_start_at = loop.time() + _INTERVAL


def _on_timer(pool: _Pool) -> None:
    pool.timer = None
    _dispatch(pool)


def _start(pool: _Pool, waiter: _Waiter) -> None:
    pool.waiting.remove(waiter)
    pool.running += 1
    pool.turn += 1
    served = min(waiter.namespaces, key=lambda name: pool.turns.get(name, 0))
    pool.turns.pop(served, None)
    pool.turns[served] = pool.turn
    if len(pool.turns) > _MAX_TURNS:
        del pool.turns[next(iter(pool.turns))]
    if not waiter.started.done():
        waiter.started.set_result(None)


def _rank(pool: _Pool, waiter: _Waiter) -> tuple[bool, int]:
    """Return a first Secret's rank ahead of the others', and within each the namespace whose turn is the longest ago.

    Of several that are equal, the one that came first is taken.
    """
    return not waiter.first, min(pool.turns.get(name, 0) for name in waiter.namespaces)
