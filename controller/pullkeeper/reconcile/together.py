"""Several things that are waited for at once."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")


async def all_of(awaited: Sequence[Coroutine[Any, Any, _T]]) -> Sequence[_T]:
    """Return all results, in order, or raise the first error; one alone, the commonest case, is given no task."""
    return [await awaited[0]] if len(awaited) == 1 else await asyncio.gather(*awaited)


async def all_ended(awaited: Iterable[Coroutine[Any, Any, _T]]) -> Sequence[_T]:
    """Return all results, in order, or raise the first error once all have ended: nothing goes on behind the caller."""
    outcomes = await asyncio.gather(*awaited, return_exceptions=True)
    for error in (each for each in outcomes if isinstance(each, BaseException)):
        raise error
    return [each for each in outcomes if not isinstance(each, BaseException)]
