"""An HTTP proxy behind which every registry is the fake: genuine host names, TLS, and no name is looked up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from testsupport.fake_aws.fake import AwsFake
from testsupport.fake_aws.registry_certificates import RegistryCertificates

_CHUNK: Final = 65536
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class RegistryProxy:
    """Answers CONNECT, speaks TLS as the host that was asked for, and hands the plain bytes to the fake."""

    def __init__(self, fake: AwsFake, folder: Path) -> None:
        self._fake = fake
        self._certificates = RegistryCertificates(folder)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.ca_file = str(self._certificates.ca_file)
        self.url = ""
        self.asked: list[str] = []
        """Every host that a tunnel was asked for, in order."""
        self.closed: dict[str, int] = {}
        """Hosts that no tunnel is opened to, and the proxy's own status for that."""

    @property
    def environment(self) -> dict[str, str]:
        """Give the variables with which a process finds registries through it, and all else without it."""
        return {"HTTPS_PROXY": self.url, "NO_PROXY": "127.0.0.1,localhost"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                await self._tunnel(reader, writer)
            finally:
                writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        host = request.split()[1].rpartition(":")[0]
        self.asked.append(host)
        if host in self.closed:
            writer.write(f"HTTP/1.1 {self.closed[host]} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        if host not in self._contexts:
            self._contexts[host] = self._certificates.context(host)
        writer.write(_OPEN)
        await writer.start_tls(self._contexts[host])
        where = urlsplit(self._fake.url)
        inner_reader, inner_writer = await asyncio.open_connection(where.hostname, where.port)
        ways = [asyncio.create_task(_pump(*way)) for way in ((reader, inner_writer), (inner_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            inner_writer.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def serve_registries(fake: AwsFake, folder: Path) -> AsyncIterator[RegistryProxy]:
    """Run a proxy on the current loop, at 127.0.0.1 only; certificates go into the folder."""
    proxy = RegistryProxy(fake, folder)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
