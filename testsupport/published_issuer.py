"""A public issuer on this machine: its two files over TLS, under a public name."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from testsupport.fake_aws.issuer import Issuer
from testsupport.tls_shapes import Authority

DOCUMENT = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
MOVED = "/moved"
"""Where redirects lead."""
_REDIRECTS = range(300, 400)
_HOST = "oidc.example.com"
_PROXY = "proxy.example.com"


class PublishedIssuer:
    """What the server answers, and what it was asked for."""

    def __init__(self, url: str, runner: web.AppRunner) -> None:
        self.url = url
        self.issuer = Issuer(url)
        self.requests: list[web.Request] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.is_silent = False
        self._runner = runner
        self._stopped = asyncio.Event()
        self.serve()

    def serve(self, *, issuer: str = "", jwks_uri: str = "", keys: Sequence[Mapping[str, Any]] = ()) -> None:
        """Publish files like Kubernetes' own."""
        document = {"issuer": issuer or self.url, "jwks_uri": jwks_uri or f"{self.url}{KEYS}"}
        key_set = {"keys": list(keys)} if keys else self.issuer.jwks()
        self.answers = {DOCUMENT: (200, json.dumps(document)), KEYS: (200, json.dumps(key_set))}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        self.requests.append(request)
        if self.is_silent:
            await self._stopped.wait()
        status, body = self.answers.get(request.path, (404, ""))
        moved = {"Location": f"{self.url}{MOVED}"} if status in _REDIRECTS else {}
        return web.Response(status=status, text=body, headers=moved)

    async def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        # TLS waits for the farewell of both sides: longer than this loop may live.
        for each in self._runner.server.connections if self._runner.server else []:
            if each.transport:
                each.transport.abort()
        await self._runner.cleanup()
        await asyncio.sleep(0)


@asynccontextmanager
async def published_issuer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PublishedIssuer]:
    """Serve an issuer whose name leads to this machine, with a certificate of a CA that the system trusts."""
    authority = Authority(folder)
    (folder / "ca.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pullkeeper.adapters.name_resolver._look_up", _here)
    running: list[PublishedIssuer] = []
    application = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return await running[0].answer(request)

    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context(_HOST))
    await site.start()
    port = runner.addresses[0][1]
    running.append(PublishedIssuer(f"https://{_HOST}:{port}", runner))
    try:
        yield running[0]
    finally:
        await running[0].stop()


@asynccontextmanager
async def tunnelling_proxy(issuer: PublishedIssuer) -> AsyncIterator[str]:
    """Run a proxy that opens tunnels to the issuer and nowhere else; gives its URL, of which the name leads here."""
    port = urlsplit(issuer.url).port

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        from_issuer, to_issuer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_pipe(reader, to_issuer), _pipe(from_issuer, writer))
        finally:
            for each in (writer, to_issuer):
                each.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        yield f"http://{_PROXY}:{proxy.sockets[0].getsockname()[1]}"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(8192):
        writer.write(part)
    writer.close()


def _here(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult] | OSError:  # noqa: ARG001 -- the resolver's signature
    if host not in {_HOST, _PROXY}:
        return socket.gaierror(socket.EAI_NONAME, "unknown")
    return [
        ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
        )
    ]
