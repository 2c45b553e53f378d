"""Parts of the controller that are broken on purpose: each must be noticed at some boundary."""

import asyncio
from contextlib import suppress

from pullkeeper.reconcile.leader_elector import LeaderElector
from pullkeeper.reconcile.worker import Worker


class KeepsTheLease(LeaderElector):
    """Ends without giving up the Lease."""

    async def release(self) -> None:
        """Do nothing."""


class IgnoresCancellation(Worker):
    """Goes on after the process was told to end."""

    async def run(self) -> None:
        """Go on for a minute, whatever happens."""
        with suppress(asyncio.CancelledError):
            await super().run()
        ending = asyncio.create_task(asyncio.sleep(60))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
