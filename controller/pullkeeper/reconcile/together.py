"""Several things that are waited for at once."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")


async def all_of(awaited: Sequence[Coroutine[Any, Any, _T]]) -> Sequence[_T]:
    """Return all results, in order, or raise the first error; one alone, the commonest case, is given no task."""
    return [await awaited[0]] if len(awaited) == 1 else await asyncio.gather(*awaited)
