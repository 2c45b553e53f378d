"""Something that runs until a test is done with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def in_background(program: Coroutine[Any, Any, None], *, seconds: float = 0) -> AsyncIterator[None]:
    """Run it, for so long before the test goes on, and cancel it in the end, as the process does."""
    task = asyncio.create_task(program)
    try:
        await asyncio.sleep(seconds)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
