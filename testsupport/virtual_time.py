"""An event loop whose time leaps to the next timer, so that an hour of a test takes no time at all."""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class _LeapingSelector(selectors.SelectSelector):
    """Never waits: what the loop would sleep, the time leaps."""

    leapt = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        if not ready:
            self.leapt += timeout or 0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Tells the leapt time."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.leapt


def now() -> datetime:
    """Give the wall clock of the running loop."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


async def settle() -> None:
    """Let everything that can run now run, without any time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
