"""Waiting for a condition; the one limit here guards against hanging and judges no speed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

HANG_GUARD = 120.0
"""Seconds until something that must happen counts as never happening: far more than a loaded machine needs."""
_INTERVAL = 0.02

_T = TypeVar("_T")


async def until(condition: Callable[[], Awaitable[_T | None]], what: str) -> _T:
    """Poll the condition until it is true and return its result; fail with what was waited for."""
    try:
        async with asyncio.timeout(HANG_GUARD):
            # Nothing notifies us of a change in a process, behind an HTTP port or in a list of Events: poll.
            while not (found := await _poll(condition)):  # noqa: ASYNC110 -- see above
                await asyncio.sleep(_INTERVAL)
            return found
    except TimeoutError:
        raise AssertionError(f"waited {HANG_GUARD:g} s in vain for {what}") from None


def block_until(condition: Callable[[], object], what: str) -> None:
    """Poll the condition until it is true, without an event loop; fail with what was waited for."""
    give_up_at = time.monotonic() + HANG_GUARD
    while not condition():
        assert time.monotonic() < give_up_at, f"waited {HANG_GUARD:g} s in vain for {what}"
        time.sleep(_INTERVAL)


async def _poll(condition: Callable[[], Awaitable[_T | None]]) -> _T | None:
    """Treat a broken connection as "not yet": some conditions come true only after an outage."""
    try:
        return await condition()
    except aiohttp.ClientConnectionError:
        return None
