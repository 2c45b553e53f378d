"""One life of a controller that can be killed, or stopped and judged for how it ends."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar, copy_context
from typing import Any
from weakref import WeakSet

from testsupport import virtual_time
from testsupport.boundaries.journal import CRASHES, Fault
from testsupport.simulation.process import Process

SHUTDOWN_SECONDS = 5.0
"""The bound on a shutdown: the seconds that the manager gives its parts, and the requests that give up the Lease."""
_CURRENT: ContextVar["Replica"] = ContextVar("replica")


class Replica:
    """A process, its tasks, and what befalls it."""

    def __init__(self, name: str, build: Callable[["Replica"], Process]) -> None:
        self.name = name
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._crashed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._ended = False
        self.unfinished: list[str] = []
        """What is wrong with the shutdown, if it was told to stop."""
        self.process = build(self)

    def interrupt(self, fault: Fault) -> None:
        """Kill the process, or tell it to stop."""
        if fault in CRASHES:
            self._crashed.set()
        else:
            self.stop()

    def stop(self) -> None:
        """Tell the process to stop, as SIGTERM does."""
        self._stopping.set()
        self.process.stop()

    def leads(self) -> bool:
        """Return whether it runs and may write."""
        return not self._ended and self.process.container.leader_elector.is_leader()

    @property
    def was_stopped(self) -> bool:
        """Whether it was told to stop and not killed."""
        return self._stopping.is_set() and not self._crashed.is_set()

    def kill(self) -> None:
        """Kill the process."""
        self._crashed.set()

    async def live(self) -> list[str]:
        """Run until killed or stopped; return what is wrong with the end, if it came otherwise or by an error."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        main = asyncio.create_task(self.process.run(), context=context)
        ends = [asyncio.create_task(event.wait()) for event in (self._crashed, self._stopping)]
        await asyncio.wait([main, *ends], return_when=asyncio.FIRST_COMPLETED)
        wrong: list[str] = []
        if self.was_stopped:
            self.unfinished += await self._shutdown(main)
        if main.done() and not main.cancelled() and (error := main.exception()):
            wrong.append(f"{self.name}: ended with {error!r}")
        elif not self._crashed.is_set() and not self._stopping.is_set():
            wrong.append(f"{self.name}: ended by itself")
        await self._end([*ends, *self.tasks])
        self._ended = True
        return wrong

    async def _shutdown(self, main: asyncio.Task[None]) -> Iterator[str]:
        """Wait for the end, then cancel what is left, as asyncio.run does: a call to AWS that nobody waits for."""
        await asyncio.wait([main], timeout=SHUTDOWN_SECONDS)
        if not main.done():
            return iter([f"{self.name}: goes on {SHUTDOWN_SECONDS:.0f} s after SIGTERM"])
        left = [task for task in self.tasks if not task.done()]
        for task in left:
            task.cancel()
        await virtual_time.settle()
        return (
            f"{self.name}: {_coroutine_name(task)} ignores that it is cancelled" for task in left if not task.done()
        )

    @staticmethod
    async def _end(tasks: list[asyncio.Task[Any]]) -> None:
        """Cancel every task at once, as SIGKILL does."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _coroutine_name(task: asyncio.Task[Any]) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task))


def make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Create a task, and remember whose it is."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    replica = (options.get("context") or copy_context()).get(_CURRENT)
    if replica is not None:
        replica.tasks.add(task)
    return task


def current() -> Replica:
    """Return the replica that runs this."""
    return _CURRENT.get()


def seeded(name: str, life: int) -> random.Random:
    """Give each life of each replica a generator of its own."""
    return random.Random(f"{name} {life}")
