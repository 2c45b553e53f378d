"""An event loop with a virtual clock: where nothing is ready it jumps to the next timer instead of waiting.

Code under test takes its times from the loop's timers and from `now`, so an hour of a unit test and half a year of a
simulation take as long as the work in them. No run depends on how fast the machine is.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, TypeVar

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""What the clock shows when a loop is made."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
"""In seconds."""
_ENOUGH_TURNS = 20
_RESOLUTION = 1e-7
"""Seconds: less than the microsecond of a datetime, and more than what a float of ten years can tell apart."""

_T = TypeVar("_T")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: adds the timeout to the elapsed time at once."""

    def __init__(self, *, files: bool) -> None:
        super().__init__()
        self._files = files
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; raises RuntimeError if nothing is and no timer is set either."""
        ready = super().select(0) if self._files else []
        if not ready and timeout is None:
            raise RuntimeError("every task waits for another one: nothing would ever happen again")
        if not ready:
            self.elapsed += timeout or 0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the elapsed virtual time, in seconds from 0."""

    def __init__(self, *, files: bool = True) -> None:
        """With `files=False` neither sockets nor threads can wake the loop, so a run is the same each time."""
        self._selecting = _JumpingSelector(files=files)
        super().__init__(self._selecting)
        # After half a year the clock's own nanosecond is lost in rounding: a timer that is due would never be ready.
        self._clock_resolution = _RESOLUTION

    def time(self) -> float:
        """Return the elapsed seconds."""
        return self._selecting.elapsed


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on a deterministic virtual loop of its own."""
    with asyncio.Runner(loop_factory=partial(VirtualLoop, files=False)) as runner:
        return runner.run(main)


def elapsed() -> float:
    """Return the seconds since the running loop was made."""
    return asyncio.get_running_loop().time()


def now() -> datetime:
    """Return the date and time of the running loop."""
    return at_second(elapsed())


@lru_cache(maxsize=1)
def at_second(seconds: float) -> datetime:
    """Convert seconds since the start into a date and time."""
    return START + timedelta(seconds=seconds)


def seconds_of(moment: datetime) -> float:
    """Convert a date and time into seconds since the start."""
    return (moment - START).total_seconds()


async def sleep_until(second: float) -> None:
    """Sleep until that many seconds have elapsed."""
    await asyncio.sleep(second - elapsed())


async def settle() -> None:
    """Run everything that is ready, without letting time pass."""
    for _ in range(_ENOUGH_TURNS):
        await asyncio.sleep(0)
