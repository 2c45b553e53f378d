"""An event loop whose time is a number: where nothing is ready, it jumps to the next timer instead of waiting.

The controller measures everything by its clock and by the loop's timers. With both taken from here, half a year passes
as fast as the work in it can be done, and the same seed gives the same run to the microsecond: no thread, no socket and
no wall clock has a say in what comes first.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Moment 0 of every run."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

_T = TypeVar("_T")


class _Jump(selectors.SelectSelector):
    """Waits for nothing: it reports how long the loop was ready to wait, and that no file has anything to say."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Pass the time at once."""
        if timeout is None:
            raise RuntimeError("every task waits for another one: nothing would ever happen again")
        if timeout > 0:
            self._advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, in seconds from 0."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_Jump(self._pass))

    def time(self) -> float:
        """Tell the virtual time."""
        return self._elapsed

    def _pass(self, seconds: float) -> None:
        self._elapsed += seconds


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in a virtual time of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Tell the seconds since the beginning of the run."""
    return asyncio.get_running_loop().time()


def clock() -> datetime:
    """Tell the date and time, as the controller is to see it."""
    return moment(now())


def moment(seconds: float) -> datetime:
    """Translate seconds of a run into a date and time."""
    return EPOCH + timedelta(seconds=seconds)


def seconds(at: datetime) -> float:
    """Translate a date and time into seconds of a run."""
    return (at - EPOCH).total_seconds()


async def sleep_until(at: float) -> None:
    """Sleep until that second of the run."""
    await asyncio.sleep(at - now())
