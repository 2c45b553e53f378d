"""An event loop whose clock is moved by hand, so that several of them can run by clocks that drift apart."""

import asyncio
import selectors

_ENOUGH_TURNS = 20


class _NeverWaiting(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002
        """Return at once: only `SteppedLoop.settle` lets anything happen."""
        return super().select(0)


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop that stands still until `settle` is called; `seconds` is its time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        super().__init__(_NeverWaiting())

    def time(self) -> float:
        """Return the seconds that were set."""
        return self.seconds

    def settle(self) -> None:
        """Run what is ready and the timers that are due, without letting time pass."""
        for _ in range(_ENOUGH_TURNS):
            self.call_soon(self.stop)
            self.run_forever()
