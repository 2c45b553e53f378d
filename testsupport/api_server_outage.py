"""An outage of the API server, in memory or real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from testsupport.control_plane.plane import ControlPlane


@asynccontextmanager
async def api_server_down(server: Any) -> AsyncIterator[None]:  # in memory or real: they share no base
    """Answer no request while the block runs."""
    if isinstance(server, ControlPlane):
        await asyncio.to_thread(server.kill_api_server)
        yield
        await asyncio.to_thread(server.start_api_server)
    else:
        server.faults.down = True
        yield
        server.faults.down = False
