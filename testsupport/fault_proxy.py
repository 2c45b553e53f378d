"""A proxy before the API server that does to its clients what networks, load balancers and servers do on a bad day."""

import asyncio
import ctypes
import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
from aiohttp import web
from yarl import URL

from testsupport.control_plane.plane import ControlPlane
from testsupport.proxied_view import View

_HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A socket filter that keeps nothing of any packet (BPF: return 0)."""
_SO_ATTACH_FILTER = 26

Request = web.Request
When = Callable[[Request], bool]


def always(_: Request) -> bool:
    """Select every request."""
    return True


def watches(request: Request) -> bool:
    """Select watches."""
    return request.query.get("watch") == "true"


def lists(request: Request) -> bool:
    """Select lists of Secrets and Namespaces."""
    return not watches(request) and request.method == "GET" and request.path.endswith(("/secrets", "/namespaces"))


def secret_lists(request: Request) -> bool:
    """Select lists of Secrets."""
    return lists(request) and request.path.endswith("/secrets")


@dataclass(kw_only=True, slots=True, eq=False)
class Fault:
    """What is done to the requests that it selects, as often as `times` says."""

    when: When = always
    times: int = 1
    status: int = 0
    """Answer with this status instead of asking the API server."""
    delay: float = 0.0
    """Seconds to wait before the API server is asked."""
    cut: bool = False
    """Break the connection in the middle of the first piece of the answer."""
    stale: bool = False
    """Answer with what was answered to such a request before."""
    unanswered: Callable[[], None] | None = None
    """Call this once the API server has answered, and break the connection instead of passing the answer on."""


@dataclass(kw_only=True, eq=False)
class FaultProxy:
    """A running proxy; it stands for the API server in an installation."""

    upstream: str
    admin_token: str
    ca_file: str
    url: str = ""
    requests: list[str] = field(default_factory=list)
    """Method and path of every request."""
    arrivals: dict[str, float] = field(default_factory=dict)
    """When each request that was passed on had arrived here, by its Audit-ID: seconds since 1970."""
    view: View = field(default_factory=View)
    faults: list[Fault] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    """Tokens that are refused."""
    _reachable: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set[asyncio.Transport] = field(default_factory=set)
    _swallowed: list[asyncio.Transport] = field(default_factory=list)
    _watches: dict[asyncio.Transport, str] = field(default_factory=dict)
    _remembered: dict[str, bytes] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        """Do this to the next requests that it selects."""
        self.faults.append(fault)

    def drop(self) -> None:
        """Break every open connection (RST)."""
        for connection in self._alive():
            connection.abort()

    def half_close(self) -> None:
        """End every open connection in one direction: the client reads an end, and its requests go nowhere."""
        for connection in self._alive():
            connection.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def swallow(self) -> int:
        """Swallow every packet on every open connection from now on, without a word; return how many there are.

        The kernel acknowledges nothing either, so that the client's keepalive probes are lost as well. Connections
        that are opened later work.
        """
        code = ctypes.create_string_buffer(_DROP_ALL)
        program = struct.pack("HL", 1, ctypes.addressof(code))
        swallowed = list(self._alive())
        for connection in swallowed:
            _await_acknowledgement(connection.get_extra_info("socket"))
            connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            connection.pause_reading()
            # What the API server sends is kept here and never sent on.
            connection.set_write_buffer_limits(high=2**30)
            connection.write = _nowhere  # type: ignore[method-assign, assignment] # that is the fault
            self._connections.discard(connection)
            self._swallowed.append(connection)
        return len(swallowed)

    def partition(self) -> None:
        """Swallow everything, on new connections as well, until `heal`."""
        self._reachable.clear()
        self.swallow()

    def heal(self) -> None:
        """Let requests through again; those that still wait go on."""
        self._reachable.set()

    def watched(self) -> set[str]:
        """Return the paths of the watches that are open and told of what happens."""
        alive = self._alive()
        self._watches = {each: path for each, path in self._watches.items() if each in alive}
        return set(self._watches.values())

    def close(self) -> None:
        """Break every connection, swallowed ones included."""
        self.heal()
        for connection in self._swallowed:
            connection.abort()
        self.drop()

    def _alive(self) -> list[asyncio.Transport]:
        self._connections = {each for each in self._connections if not each.is_closing()}
        return list(self._connections)

    def _striking(self, request: Request) -> Fault:
        for fault in self.faults:
            if fault.when(request):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return Fault()

    async def handle(self, request: Request, http: aiohttp.ClientSession) -> web.StreamResponse:
        """Pass a request on, or do to it what a fault says."""
        arrived = time.time()
        await self._reachable.wait()
        if isinstance(request.transport, asyncio.Transport):
            self._connections.add(request.transport)
        self.requests.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") in self.revoked:
            return _refusal(401)
        fault = self._striking(request)
        await asyncio.sleep(fault.delay)
        if fault.status:
            return _refusal(fault.status)
        asked = request.path + request.query.get("fieldSelector", "")
        if fault.stale and asked in self._remembered:
            return web.Response(body=self._remembered[asked], content_type="application/json")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["Audit-ID"] = str(uuid4())
        self.arrivals[headers["Audit-ID"]] = arrived
        url = self.upstream + (self.view.query(request) if lists(request) else request.path_qs)
        async with http.request(
            request.method, URL(url, encoded=True), headers=headers, data=await request.read() or None
        ) as answer:
            if fault.unanswered is not None:
                await answer.read()
                fault.unanswered()
                raise ConnectionAbortedError
            return await self._pass_on(request, answer, fault)

    async def _pass_on(self, request: Request, answer: aiohttp.ClientResponse, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        response.headers.update(
            {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        )
        await response.prepare(request)
        if watches(request) and isinstance(request.transport, asyncio.Transport):
            self._watches[request.transport] = request.path
        whole = b""
        # A watch is read line by line, so that each event can be shown by itself.
        events = watches(request) and answer.status == 200
        async for piece in answer.content if events else answer.content.iter_any():
            if fault.cut and request.transport is not None:
                await response.write(piece[: len(piece) // 2])
                request.transport.close()
                return response
            whole = whole + piece if lists(request) else b""
            await (self.view.deliver(response, piece) if events else response.write(piece))
        if lists(request) and answer.status == 200:
            self._remembered.setdefault(request.path + request.query.get("fieldSelector", ""), whole)
        await response.write_eof()
        if isinstance(request.transport, asyncio.Transport):
            self._watches.pop(request.transport, None)
        return response


def _await_acknowledgement(connection: socket.socket) -> None:
    """Wait until nothing is under way: the kernel would send it again and again, and the client would hear that."""
    under_way = bytearray(4)
    for _ in range(100):
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, under_way)
        if not any(under_way):
            return
        time.sleep(0.01)


def _nowhere(_: object) -> None:
    """Write nothing."""


def _refusal(status: int) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": "a fault of the test"}
    return web.json_response(body, status=status, headers={"Retry-After": "1"} if status == 429 else None)


class Front:
    """Where a proxy listens, with a certificate that can be replaced."""

    def __init__(self, proxy: FaultProxy, runner: web.AppRunner, port: int) -> None:
        self.proxy = proxy
        self._runner = runner
        self._port = port
        self._site: web.TCPSite | None = None

    async def present(self, context: ssl.SSLContext) -> None:
        """Present another certificate on new connections, and break the open ones."""
        if self._site is not None:
            await self._site.stop()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context, reuse_address=True)
        await self._site.start()
        self.proxy.drop()


@asynccontextmanager
async def before(plane: ControlPlane, *, context: ssl.SSLContext) -> AsyncIterator[Front]:
    """Run a proxy before an API server, with this certificate at first."""
    proxy = FaultProxy(upstream=plane.url, admin_token=plane.admin_token, ca_file=plane.ca_file)
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=plane.ca_file))
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False, read_bufsize=2**21) as http:

        async def handle(request: Request) -> web.StreamResponse:
            with suppress(aiohttp.ClientError, ConnectionError):
                return await proxy.handle(request, http)
            # The API server has broken off: so do we, in the middle of an answer perhaps.
            if request.transport is not None:
                request.transport.abort()
            return _refusal(502)

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        proxy.url = f"https://127.0.0.1:{port}"
        proxy.heal()
        front = Front(proxy, runner, port)
        await front.present(context)
        try:
            yield front
        finally:
            proxy.close()
            await runner.cleanup()
