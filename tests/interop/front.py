"""The door of the registries: TLS under ECR's host names, a login as ECR's, and behind it the real registry.

ECR asks for Basic authentication at every request and knows no session, so a revoked token is refused at the very next
one. docker-registry's own logins cannot do that: a password file holds one password a user, and a token server's grants
live on. So the door asks the AWS fake about each request, keeps a record, and passes on what it let in.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import aiohttp
from aiohttp import web

from testsupport.fake_aws import AwsFake
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.registry import refusal

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date"})
_LARGEST = 64 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request with a login: what was shown to whom, and whether it was let in."""

    host: str
    auth: str = field(repr=False)
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """Lets in whom the AWS fake lets in."""

    aws: AwsFake
    registry: str
    http: aiohttp.ClientSession
    visits: list[Visit] = field(default_factory=list)

    def let_in(self) -> set[tuple[str, str]]:
        """Tell at which hosts which logins were let in."""
        return {(visit.host, visit.auth) for visit in self.visits if visit.status < 400}

    def refused(self) -> set[tuple[str, str]]:
        """Tell at which hosts which logins were refused."""
        return {(visit.host, visit.auth) for visit in self.visits if visit.status == 401}

    async def answer(self, http: web.Request) -> web.Response:
        """Answer as the registry does, or with ECR's refusal."""
        try:
            self.aws.registry.answer(http)
        except AwsError as error:
            response = refusal(http, error)
        else:
            response = await self._pass_on(http)
        self._record(http, response.status)
        return response

    async def _pass_on(self, http: web.Request) -> web.Response:
        # A copy that keeps a header that is there several times: Accept is.
        headers = http.headers.copy()
        headers.popall("Authorization")
        body = await http.read()
        where = f"{self.registry}{http.raw_path}"
        async with self.http.request(http.method, where, headers=headers, data=body, allow_redirects=False) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            if http.method == "HEAD":
                kept["Content-Length"] = answer.headers.get("Content-Length", "0")
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    def _record(self, http: web.Request, status: int) -> None:
        scheme, _, auth = http.headers.get("Authorization", "").partition(" ")
        if scheme:
            self.visits.append(Visit(host=http.host, auth=auth, status=status))


@asynccontextmanager
async def serve_front(
    aws: AwsFake, registry: str, listening: socket, certificate: Path, key: Path
) -> AsyncIterator[Front]:
    """Serve the door on a socket that listens already."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        front = Front(aws=aws, registry=registry, http=http)
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.route("*", "/v2/{rest:.*}", front.answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        try:
            await web.SockSite(runner, listening, ssl_context=tls).start()
            yield front
        finally:
            await runner.cleanup()
