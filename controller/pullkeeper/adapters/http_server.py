"""HTTP server for /healthz, /readyz and /metrics on one port.

Whoever can reach the port may open any number of connections and send nothing, or anything. So a connection serves one
request, lives for seconds, and makes room for a newer one; and rendering takes a small part of the event loop's time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Probe = Callable[[], str | None]
"""Returns what is wrong, or None."""

_MAX_CONNECTIONS = 128
_MAX_SECONDS = 15.0
"""Longest life of a connection, from its opening to the end of its response."""
_MAX_LINE_BYTES = 4096
"""Of the request line, and of each header."""
_MAX_HEADERS = 64
_SHUTDOWN_SECONDS = 1.0
_SHARE, _MAX_AGE_SECONDS = 10, 5.0
"""Metrics are rendered again after this many times the time that it took, and after these seconds at the latest.

Until then the last ones are served. A process that was stopped while it rendered would serve them for hours otherwise.
"""


async def serve(
    *,
    host: str,
    port: int,
    healthy: Probe,
    ready: Probe,
    metrics: Callable[[], bytes],
    content_type: str,
    bound: Callable[[int], None],
    max_seconds: float = _MAX_SECONDS,
) -> None:
    """Serve until cancelled; `bound` is called with the port. Raises OSError if the port cannot be bound."""
    rendered, loop = RenderedMetrics(metrics), asyncio.get_running_loop()

    async def respond(request: web.BaseRequest) -> web.Response:
        match request.path:
            case "/healthz":
                response = _probed(healthy)
            case "/readyz":
                response = _probed(ready)
            case "/metrics":
                response = web.Response(body=rendered(), headers={"Content-Type": content_type})
            case _:
                response = web.Response(text="not found\n", status=404)
        response.force_close()
        return response

    http = _BoundedServer(respond, max_seconds)
    server = await loop.create_server(http, host, port)
    try:
        bound(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()
    finally:
        server.close()
        await http.shutdown(_SHUTDOWN_SECONDS)


def _probed(probe: Probe) -> web.Response:
    failure = probe()
    return web.Response(text=f"{failure or 'ok'}\n", status=503 if failure else 200)


class RenderedMetrics:
    """The metrics as last rendered; `timer` returns monotonic seconds."""

    def __init__(self, render: Callable[[], bytes], *, timer: Callable[[], float] = time.monotonic) -> None:
        self._render = render
        self._timer = timer
        self._body = b""
        self._render_at = 0.0

    def __call__(self) -> bytes:
        """Return what was rendered a moment ago, or render again."""
        started = self._timer()
        if started >= self._render_at:
            self._body = self._render()
            ended = self._timer()
            self._render_at = ended + min(_SHARE * (ended - started), _MAX_AGE_SECONDS)
        return self._body


class _BoundedServer(web.Server):
    """Closes a connection that is too old, and beyond the limit the oldest one of the peer that has most."""

    def __init__(self, respond: Callable[[web.BaseRequest], Awaitable[web.Response]], max_seconds: float) -> None:
        super().__init__(
            respond,
            access_log=None,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
            max_headers=_MAX_HEADERS,
        )
        self._max_seconds = max_seconds
        self._open: dict[web.RequestHandler, _Connection] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take note of a connection, and make room for it."""
        super().connection_made(handler, transport)
        if len(self._open) >= _MAX_CONNECTIONS:
            self._abort_one()
        peer = (transport.get_extra_info("peername") or ("",))[0]
        timer = asyncio.get_running_loop().call_later(self._max_seconds, transport.abort)
        self._open[handler] = _Connection(transport=transport, peer=peer, timer=timer)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        if connection := self._open.pop(handler, None):
            connection.timer.cancel()

    def _abort_one(self) -> None:
        peers = Counter(connection.peer for connection in self._open.values())
        (most, _), *_ = peers.most_common(1)
        oldest = next(handler for handler, connection in self._open.items() if connection.peer == most)
        connection = self._open.pop(oldest)
        connection.timer.cancel()
        connection.transport.abort()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Connection:
    transport: asyncio.Transport
    peer: str
    timer: asyncio.TimerHandle
    """Aborts the connection."""
