"""Waiting for a condition; the one limit here guards against hanging and judges no speed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import aiohttp

HANG_GUARD = 120.0
"""Seconds until something that must happen counts as never happening: far more than a loaded machine needs."""
_FIRST, _LONGEST = 0.02, 0.1
"""Seconds between polls, in the beginning and in the end: many a wait is short, and polls cost what is waited for."""

_T = TypeVar("_T")


async def until(condition: Callable[[], Awaitable[_T | None]], what: str) -> _T:
    """Poll the condition until it is true and return its result; fail with what was waited for."""
    try:
        async with asyncio.timeout(HANG_GUARD):
            # Nothing notifies us of a change in a process, behind an HTTP port or in a list of Events: poll.
            pauses = _pauses()
            while not (found := await _poll(condition)):  # noqa: ASYNC110 -- see above
                await asyncio.sleep(next(pauses))
            return found
    except TimeoutError:
        raise AssertionError(f"waited {HANG_GUARD:g} s in vain for {what}") from None


def block_until(condition: Callable[[], object], what: str) -> None:
    """Poll the condition until it is true, without an event loop; fail with what was waited for."""
    give_up_at = time.monotonic() + HANG_GUARD
    pauses = _pauses()
    while not condition():
        assert time.monotonic() < give_up_at, f"waited {HANG_GUARD:g} s in vain for {what}"
        time.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    pause = _FIRST
    while True:
        yield pause
        pause = min(1.2 * pause, _LONGEST)


async def _poll(condition: Callable[[], Awaitable[_T | None]]) -> _T | None:
    """Treat a broken connection as "not yet": some conditions come true only after an outage."""
    try:
        return await condition()
    except aiohttp.ClientConnectionError:
        return None
