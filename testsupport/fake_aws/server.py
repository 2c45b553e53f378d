"""The HTTP server around the fake."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from aiohttp import web

from testsupport.fake_aws import registry, roles_anywhere
from testsupport.fake_aws.control_api import control_routes
from testsupport.fake_aws.endpoints import endpoints as api_endpoints
from testsupport.fake_aws.endpoints import registry_region
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.exchange import Answer
from testsupport.fake_aws.fake import AwsFake, utcnow
from testsupport.fake_aws.network import Network
from testsupport.fake_aws.records import Call
from testsupport.fake_aws.requests import ApiRequest, read_request
from testsupport.fake_aws.wire import error_answer

_IMAGE = "{repository:.+}/{kind:manifests|blobs}/{reference}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(fake: AwsFake) -> web.Application:
    """All routes of the fake."""
    app = web.Application()
    endpoints = _Endpoints(fake)
    app.add_routes(
        [
            web.post("/", endpoints.api),
            web.post("/sessions", endpoints.create_session),
            web.put("/latest/api/token", endpoints.metadata_token),
            web.get("/latest/meta-data/{path:.*}", endpoints.metadata),
            web.get("/v1/credentials", endpoints.container),
            web.get("/v2/", endpoints.registry),
            web.get("/_registry/{host}/v2/", endpoints.registry),
            *(web.get(f"{start}/v2/{_IMAGE}", endpoints.registry) for start in ("", "/_registry/{host}")),
            *control_routes(fake),
        ]
    )
    return app


class _Endpoints:
    """Turns HTTP requests into calls."""

    def __init__(self, fake: AwsFake) -> None:
        self._fake = fake

    async def api(self, http: web.Request) -> web.StreamResponse:
        request = await read_request(http)
        answer = self._sts(request) if request.service == "sts" else self._ecr(request)
        return await self._fake.exchange.play(
            http, self._call_of(request), answer, partial(error_answer, request.service)
        )

    def _sts(self, request: ApiRequest) -> Answer:
        return lambda life: self._fake.sts.answer(request, life)

    def _ecr(self, request: ApiRequest) -> Answer:
        async def answer(life: timedelta | None) -> web.Response:
            return self._fake.ecr.answer(request, self._fake.lifetime if life is None else life)

        return answer

    def _call_of(self, request: ApiRequest) -> Call:
        caller = self._fake.sessions.holder(request.signature)
        return Call(
            service=request.service,
            operation=request.operation,
            time=self._fake.clock(),
            principal=caller.arn if caller else None,
            role_arn=caller.role_arn if caller else None,
            target_role=request.text("RoleArn"),
            account=caller.account if caller else None,
            region=request.endpoint.region,
            host=request.endpoint.host,
            registry_ids=request.registry_ids,
        )

    async def create_session(self, http: web.Request) -> web.StreamResponse:
        endpoint = api_endpoints().get(http.host.partition(":")[0])
        if endpoint is None or endpoint.service != "rolesanywhere":
            raise web.HTTPNotFound(text=f"{http.host} is no host of IAM Roles Anywhere")

        async def answer(life: timedelta | None) -> web.Response:
            return await self._fake.roles_anywhere.answer(http, life)

        call = Call(
            service="rolesanywhere",
            operation="CreateSession",
            time=self._fake.clock(),
            target_role=http.query.get("roleArn"),
            region=endpoint.region,
            host=endpoint.host,
        )
        return await self._fake.exchange.play(http, call, answer, roles_anywhere.refusal)

    async def metadata_token(self, http: web.Request) -> web.StreamResponse:
        async def answer(_: timedelta | None) -> web.Response:
            return self._fake.surroundings.metadata_token(http)

        return await self._outside(http, "imds", "GetMetadataToken", answer)

    async def metadata(self, http: web.Request) -> web.StreamResponse:
        async def answer(life: timedelta | None) -> web.Response:
            return self._fake.surroundings.metadata(http, life)

        named = http.match_info["path"].startswith("iam/security-credentials")
        return await self._outside(http, "imds", "GetInstanceCredentials" if named else "GetMetadata", answer)

    async def container(self, http: web.Request) -> web.StreamResponse:
        async def answer(life: timedelta | None) -> web.Response:
            return await self._fake.surroundings.container_credentials(http, life)

        return await self._outside(http, "container", "GetContainerCredentials", answer)

    async def _outside(self, http: web.Request, service: str, operation: str, answer: Answer) -> web.StreamResponse:
        call = Call(service=service, operation=operation, time=self._fake.clock())
        return await self._fake.exchange.play(http, call, answer, _plain_refusal)

    async def registry(self, http: web.Request) -> web.StreamResponse:
        async def answer(_: timedelta | None) -> web.Response:
            return self._fake.registry.answer(http)

        host = registry.host_of(http)
        region = registry_region(host)
        operation = "Pull" if "kind" in http.match_info else "ProbeRegistry"
        token = self._fake.registry.shown(http)
        call = Call(
            service="registry",
            operation=operation,
            time=self._fake.clock(),
            region=region,
            host=host,
            token=token.serial if token else None,
        )
        return await self._fake.exchange.play(http, call, answer, partial(registry.refusal, http))


def _plain_refusal(error: AwsError) -> web.Response:
    return web.json_response({"code": error.code, "message": error.message}, status=error.status)


@asynccontextmanager
async def serve(
    *, port: int = 0, clock: Callable[[], datetime] = utcnow, folder: Path | None = None
) -> AsyncIterator[AwsFake]:
    """Run a fake on the current loop, at 127.0.0.1 only. Port 0 takes any free one.

    `folder` is for certificates, where a process must find them that does not see the machine's temporary files.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="fake-aws-") as name:
            async with serve(port=port, clock=clock, folder=Path(name)) as fake:
                yield fake
        return
    fake = AwsFake(loop=asyncio.get_running_loop(), clock=clock, network=Network(folder))
    # Cancel a handler whose client has gone: a hanging call must not stay behind.
    runner = web.AppRunner(application(fake), handler_cancellation=True, access_log=None, shutdown_timeout=2)
    await runner.setup()
    assert runner.server is not None
    async with fake.network.serve(runner.server):
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield fake
        finally:
            fake.exchange.close()
            await runner.cleanup()


@contextmanager
def serve_in_thread(
    *, port: int = 0, clock: Callable[[], datetime] = utcnow, folder: Path | None = None
) -> Iterator[AwsFake]:
    """Run a fake on a loop of its own in a thread, for tests that block."""
    ready: Future[_Running] = Future()
    thread = threading.Thread(target=_run, args=(ready, port, clock, folder), name="aws-fake", daemon=True)
    thread.start()
    running = ready.result()
    try:
        yield running.fake
    finally:
        running.stop()
        thread.join()


class _Running:
    def __init__(self, fake: AwsFake) -> None:
        self.fake = fake
        self.done = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self.done.set)


def _run(ready: Future[_Running], port: int, clock: Callable[[], datetime], folder: Path | None) -> None:
    async def until_stopped() -> None:
        async with serve(port=port, clock=clock, folder=folder) as fake:
            running = _Running(fake)
            ready.set_result(running)
            await running.done.wait()

    try:
        asyncio.run(until_stopped())
    except Exception as error:
        if ready.done():
            raise
        ready.set_exception(error)  # such as a port that is taken: whoever started the thread is told
