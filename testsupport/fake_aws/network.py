"""The network between a process and AWS: an HTTP proxy behind which every host of AWS is the fake.

Host names are genuine, TLS ends at the host that was asked for, and no name is looked up anywhere.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final, cast

from testsupport.fake_aws.arns import like
from testsupport.fake_aws.certificates import Certificates
from testsupport.fake_aws.endpoints import exists

NOT_PROXIED: Final = "127.0.0.1,localhost"
UNRESOLVABLE: Final = 503
"""How Squid answers a CONNECT to a name that it cannot resolve or reach."""
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_LARGEST_HEAD: Final = 8192
_TURNS: Final = 5
"""So often the loop goes round until a connection is made that was just accepted, and closed after that."""


class Silence(Enum):
    """Where on the way to a host nothing comes back any more."""

    PROXY = auto()
    """The proxy never answers: it waits for a name or for a connection itself."""
    TUNNEL = auto()
    """The tunnel opens, and nothing comes out of it: a firewall drops the packets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cut:
    pattern: str
    how: int | Silence


class Network:
    """Which hosts of AWS can be reached, and how; safe to change from any thread.

    A pattern is a host in which `*` is any run of characters. What was said last about a host holds, and breaks off
    the tunnels to it that are open.
    """

    def __init__(self, folder: Path) -> None:
        certificates = Certificates(folder)
        self._tls = certificates.context
        self._cuts: tuple[_Cut, ...] = ()
        self._clients: weakref.WeakKeyDictionary[asyncio.Transport, str] = weakref.WeakKeyDictionary()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""
        self.ca_file = str(certificates.ca_file)
        self.asked: list[str] = []
        """Every host that a tunnel was asked for, in order."""

    @property
    def environment(self) -> dict[str, str]:
        """What a process behind a proxy has: AWS through it and trusted, all that is on this machine without it."""
        proxied = {"HTTPS_PROXY": self.url, "NO_PROXY": NOT_PROXIED}
        return proxied | {name.lower(): value for name, value in proxied.items()} | {"AWS_CA_BUNDLE": self.ca_file}

    @asynccontextmanager
    async def serve(self, make_handler: Callable[[], asyncio.Protocol]) -> AsyncIterator[None]:
        """Run the proxy on the current loop, at 127.0.0.1 only; `make_handler` gives the other end of a tunnel."""
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(lambda: _Client(self, make_handler), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for _ in range(_TURNS):
                self._abort("*")
                await asyncio.sleep(0)

    def unreachable(self, pattern: str, status: int = UNRESOLVABLE) -> None:
        """Let the proxy refuse to open tunnels to these hosts, with this status."""
        self._cut(pattern, status)

    def hang(self, pattern: str) -> None:
        """Let the proxy leave those waiting who ask for these hosts."""
        self._cut(pattern, Silence.PROXY)

    def swallow(self, pattern: str) -> None:
        """Open tunnels to these hosts, out of which nothing ever comes."""
        self._cut(pattern, Silence.TUNNEL)

    def restore(self, pattern: str = "*") -> None:
        """Make hosts reachable again that were cut off by this pattern (by default: by any)."""
        self._cuts = tuple(cut for cut in self._cuts if pattern not in {"*", cut.pattern})

    def inspect(self, context: ssl.SSLContext) -> None:
        """Let every host show the certificate of this context from now on, as a proxy that looks into TLS does."""
        self._tls = context

    def _cut(self, pattern: str, how: int | Silence) -> None:
        self._cuts = (_Cut(pattern=pattern, how=how), *self._cuts)
        self.hang_up(pattern)

    def hang_up(self, pattern: str = "*") -> None:
        """Break off the connections to these hosts, also those that nobody answers.

        They are broken off when this returns, unless it is called on the fake's own loop: whoever sends something
        afterwards finds the connection closed, instead of losing the request or not, as it happens.
        """
        assert self._loop is not None
        broken = asyncio.run_coroutine_threadsafe(self._break_off(pattern), self._loop)
        if asyncio._get_running_loop() is not self._loop:  # noqa: SLF001 -- the public one raises without a loop
            broken.result()

    async def _break_off(self, pattern: str) -> None:
        self._abort(pattern)
        await asyncio.sleep(0)  # in its next turn the loop closes them

    def _abort(self, pattern: str) -> None:
        for client in [client for client, host in self._clients.items() if like(pattern, host)]:
            client.abort()

    def obstacle(self, host: str) -> int | Silence | None:
        """Say what is in the way to a host: the proxy's status, or where it hangs."""
        cut = next((each.how for each in self._cuts if like(each.pattern, host)), None)
        return UNRESOLVABLE if cut is None and not exists(host) else cut

    async def hand_over(self, client: asyncio.Transport, handler: asyncio.Protocol) -> None:
        """Speak TLS with a client as every host of AWS, and leave it to the handler."""
        early = _Early()
        try:
            loop = asyncio.get_running_loop()
            tls = await loop.start_tls(client, early, self._tls, server_side=True)
        except OSError:  # such as a client that does not trust the CA
            client.abort()
            return
        if tls is None:  # the client has gone in the middle of the handshake
            return
        handler.connection_made(tls)
        tls.set_protocol(handler)
        early.pass_on(handler)

    def join(self, client: asyncio.Transport, host: str = "") -> None:
        """Close this connection with the network, or with the host that it is for."""
        self._clients[client] = host


class _Client(asyncio.Protocol):
    """One connection to the proxy, until its tunnel is open."""

    def __init__(self, network: Network, make_handler: Callable[[], asyncio.Protocol]) -> None:
        self._network = network
        self._make_handler = make_handler
        self._head = b""
        self._decided = False
        self._transport: asyncio.Transport | None = None
        self._handing_over: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._network.join(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._decided:  # and swallowed: what is written into a tunnel without an end
            return
        self._head += data
        if _HEAD_END in self._head:
            self._decided = True
            self._connect(self._head.split()[1].decode().rpartition(":")[0].lower())
        elif len(self._head) > _LARGEST_HEAD:
            self._refuse(431)

    def _connect(self, host: str) -> None:
        assert self._transport is not None
        self._network.asked.append(host)
        self._network.join(self._transport, host)
        match self._network.obstacle(host):
            case int(status):
                self._refuse(status)
            case Silence.TUNNEL:
                self._open()
            case None:
                handing_over = self._network.hand_over(self._open(), self._make_handler())
                self._handing_over = asyncio.ensure_future(handing_over)

    def _open(self) -> asyncio.Transport:
        assert self._transport is not None
        self._transport.write(_OPEN)
        return self._transport

    def _refuse(self, status: int) -> None:
        assert self._transport is not None
        self._transport.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self._transport.close()


class _Early(asyncio.Protocol):
    """Holds what comes out of the tunnel between the end of the handshake and the fake's taking over."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._lost = False

    def data_received(self, data: bytes) -> None:
        self._data.append(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._lost = True

    def pass_on(self, handler: asyncio.Protocol) -> None:
        """Give everything to the one who takes over."""
        for data in self._data:
            handler.data_received(data)
        if self._lost:
            handler.connection_lost(None)
