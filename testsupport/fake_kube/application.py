"""The web application: one handler for everything, in the order of the real server's filters."""

import asyncio
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

from testsupport.fake_kube import status
from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.faults import Fault, Faults
from testsupport.fake_kube.impersonation import accesses, impersonated
from testsupport.fake_kube.rbac import Rbac, access_of
from testsupport.fake_kube.request_info import RequestRecord, read_request
from testsupport.fake_kube.routing import PAGE_NOT_FOUND, Answer, Handlers, find_resource, is_review
from testsupport.fake_kube.status import ApiError
from testsupport.fake_kube.tokens import Tokens, User
from testsupport.fake_kube.versions import dumps
from testsupport.fake_kube.watching import Watches

MAX_BODY = 3 * 1024 * 1024
MAX_RECORDS = 100_000


class Disconnect(Exception):  # noqa: N818 -- it is an outcome that a fault asked for, not an error
    """Break the connection instead of answering."""


def _records() -> deque[RequestRecord]:
    return deque(maxlen=MAX_RECORDS)


@dataclass(slots=True, kw_only=True)
class Application:
    """Answers every request and keeps a record of it."""

    url: str
    tokens: Tokens
    rbac: Rbac
    faults: Faults
    handlers: Handlers
    watches: Watches
    requests: deque[RequestRecord] = field(default_factory=_records)

    def aiohttp_application(self) -> web.Application:
        """Give the aiohttp application."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, come what may."""
        record = self._record(request)
        started = time.monotonic()
        self.requests.append(record)
        try:
            response = await self._answer(request, record)
        except ApiError as error:
            response = _response(Answer(error.code, dumps(error.status()), headers=error.headers))
        except web.HTTPRequestEntityTooLarge:
            too_large = ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")
            response = _response(Answer(413, dumps(too_large.status())))
        except Disconnect:
            return _broken(request)
        finally:
            record.seconds = time.monotonic() - started
        record.code = response.status
        return response

    def _record(self, request: web.Request) -> RequestRecord:
        record = read_request(request.method, request.path, request.query)
        record.content_type = request.headers.get("Content-Type", "")
        record.at = time.time()
        record.user_agent = request.headers.get("User-Agent", "")
        return record

    async def _answer(self, request: web.Request, record: RequestRecord) -> web.StreamResponse:
        if self.faults.down:
            raise Disconnect
        user = self.tokens.authenticate(request.headers.get("Authorization"))
        user = self._impersonated(request, user)
        record.user = user.name
        await self._suffer(record)
        if "Transfer-Encoding" in request.headers or request.content_length:
            body = await request.read()
        else:
            body = b""
        response = await self._dispatch(request, record, user, body)
        if self.faults.striking("lose_answer", record):
            raise Disconnect
        return response

    def _impersonated(self, request: web.Request, user: User) -> User:
        """Give whom the request is made as: the one who sent it, or whom its headers name, if that is allowed."""
        name = request.headers.get("Impersonate-User")
        if not name:
            return user
        groups = request.headers.getall("Impersonate-Group", [])
        for access in accesses(name, groups):
            self.rbac.require(user, access)
        return impersonated(name, groups)

    async def _suffer(self, record: RequestRecord) -> None:
        """Let the faults have their way."""
        slow = self.faults.striking("latency", record)
        if slow:
            await asyncio.sleep(slow.seconds)
        if self.faults.striking("reset", record) or self.faults.down:
            raise Disconnect
        if self.faults.striking("reject_tokens", record):
            raise status.unauthorized()
        failure: Fault | None = self.faults.striking("error", record)
        if failure and failure.error:
            raise failure.error.with_traceback(None)

    async def _dispatch(
        self, request: web.Request, record: RequestRecord, user: User, body: bytes
    ) -> web.StreamResponse:
        self.rbac.require(user, access_of(record))
        accept = request.headers.get("Accept", "")
        if not record.is_resource:
            return _response(self.handlers.path(record, self.url, accept))
        if is_review(record):
            if record.verb != "create":
                raise status.method_not_allowed()
            return _response(self.handlers.review(record, user, body))
        resource = find_resource(record)
        if resource is None:
            return _response(PAGE_NOT_FOUND)
        call = Call(record=record, resource=resource, user=user, body=body)
        if record.verb == "watch":
            return await self._watch(request, call, accept)
        return _response(self.handlers.resource(call, accept))

    async def _watch(self, request: web.Request, call: Call, accept: str) -> web.StreamResponse:
        watch, first = self.watches.start(call, self.handlers.renderer(call, accept))
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        call.record.code = 200
        lines = self.watches.lines(watch, first)
        try:
            await response.prepare(request)
            async for line in lines:
                await response.write(line)
            await response.write_eof()
        except ConnectionError:
            return response
        finally:
            watch.close()
            await lines.aclose()
        return response


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, "Cache-Control": "no-cache, private", **answer.headers}
    return web.Response(status=answer.code, body=answer.body, headers=headers)


def break_connection(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection with a reset, not an orderly end."""
    if transport is None:
        return
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    abort = getattr(transport, "abort", transport.close)
    abort()


def _broken(request: web.Request) -> web.StreamResponse:
    """Reset the connection; the response that is returned goes nowhere."""
    break_connection(request.transport)
    return web.Response(status=502)
