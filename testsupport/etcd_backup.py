"""A backup of etcd and its restoration, in memory or real."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from testsupport.control_plane.plane import ControlPlane


async def back_up(server: Any) -> Callable[[], Awaitable[None]]:  # in memory or real: they share no base
    """Back etcd up now; return what restores it, with the resourceVersions of then."""
    if isinstance(server, ControlPlane):
        backup = await asyncio.to_thread(server.back_up_etcd)

        async def restore() -> None:
            await asyncio.to_thread(server.restore_etcd, backup)

    else:
        state = server.state.backup()

        async def restore() -> None:
            with server.faults.outage():
                server.state.restore(state)
                await asyncio.sleep(0)

    return restore
