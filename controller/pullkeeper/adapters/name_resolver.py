"""Name look-ups that delay nobody else when they hang."""

import asyncio
import socket
import threading
from collections import Counter
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

MAX_HANGING = 4
"""Look-ups of one name that may be without an answer; more fail at once."""
MAX_THREADS = 64
"""Look-ups of all names that may be."""


class NameResolver(AbstractResolver):
    """Asks the system in daemon threads of its own.

    aiohttp's own resolver shares the event loop's executor, which has a handful of threads, and a look-up without an
    answer occupies one of them for half a minute: whatever else needs a thread waits for it, the shutdown included.
    """

    def __init__(self) -> None:
        self._pending: Counter[str] = Counter()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise OSError if there are none, or if earlier look-ups still hang."""
        if self._pending[host] >= MAX_HANGING or self._pending.total() >= MAX_THREADS:
            raise OSError(None, "earlier look-ups of names are still without an answer")
        return await self._in_thread(host, port, family)

    async def close(self) -> None:
        """Do nothing: who waits for a look-up is cancelled, and the threads hold nothing up."""

    def _in_thread(self, host: str, port: int, family: socket.AddressFamily) -> "asyncio.Future[list[ResolveResult]]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def finish(found: list[ResolveResult] | OSError) -> None:
            self._pending[host] -= 1
            if not self._pending[host]:
                del self._pending[host]
            if answer.done():  # nobody waits any more
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def run() -> None:
            found = _look_up(host, port, family)
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(finish, found)

        self._pending[host] += 1
        threading.Thread(target=run, daemon=True, name="name look-up").start()
        return answer


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult] | OSError:
    """Ask the system and wait for its answer."""
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except ValueError:
        return OSError(None, "this is not the name of a host")
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]
