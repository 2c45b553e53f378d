"""A tool that undoes each write to a pull Secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from testsupport.installation import Installation
from testsupport.objects import encoded

EMPTIED = {"data": {".dockerconfigjson": encoded('{"auths": {}}')}}
_INTERVAL = 0.2
"""Seconds between two writes: a few a second, as such tools were seen to do, and not as many as the machine can."""


@asynccontextmanager
async def undoing(installation: Installation, namespace: str, *, manager: str) -> AsyncIterator[None]:
    """Empty the pull Secret of a namespace again and again, under the name of a field manager."""

    async def keep_emptying() -> None:
        while True:
            await installation.api.merge(installation.path(namespace), EMPTIED, fieldManager=manager)
            await asyncio.sleep(_INTERVAL)

    tool = asyncio.create_task(keep_emptying())
    try:
        yield
    finally:
        tool.cancel()
        await asyncio.gather(tool, return_exceptions=True)
