"""Waiting for a condition."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

PATIENCE = 20.0
"""Seconds until what must come counts as lost; far longer than any promise, so that it judges nothing but loss."""
_PAUSE = 0.02

_T = TypeVar("_T")


async def until(look: Callable[[], Awaitable[_T | None]], what: str, patience: float = PATIENCE) -> _T:
    """Ask again and again until the answer is true, and give it; fails with what was waited for."""
    try:
        async with asyncio.timeout(patience):
            # A process, an HTTP port or a list of Events tells nobody when it has changed; asking is all there is.
            while not (found := await _answer(look)):  # noqa: ASYNC110 -- see above
                await asyncio.sleep(_PAUSE)
            return found
    except TimeoutError:
        raise AssertionError(f"waited {patience} s in vain for {what}") from None


async def _answer(look: Callable[[], Awaitable[_T | None]]) -> _T | None:
    """Take a connection that breaks for "not yet": some of what is waited for comes after an outage."""
    try:
        return await look()
    except aiohttp.ClientConnectionError:
        return None
