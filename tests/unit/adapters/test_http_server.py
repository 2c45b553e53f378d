"""The port for probes and metrics, and what whoever reaches it can do."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from pullkeeper.adapters import http_server
from pullkeeper.app.file_limit import raise_file_limit

_GUARD_SECONDS = 30.0


@asynccontextmanager
async def serving(
    *, healthy: Callable[[], str | None] = lambda: None, metrics: Callable[[], bytes] = lambda: b"up 1\n", **more: float
) -> AsyncIterator[int]:
    """Serve on a free port, and yield it."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(
        http_server.serve(
            host="127.0.0.1",
            port=0,
            healthy=healthy,
            ready=lambda: "Secrets: not listed",
            metrics=metrics,
            content_type="text/plain; version=1.0.0",
            bound=port.set_result,
            **more,
        )
    )
    try:
        yield await port
    finally:
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server


async def exchange(port: int, request: bytes) -> bytes:
    """Send what may be a request, and read until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), _GUARD_SECONDS)
        return b""
    finally:
        writer.close()


async def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Return status, headers and body."""
    answer = await exchange(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, b"ok\n"),
        ("/readyz", 503, b"Secrets: not listed\n"),
        ("/metrics", 200, b"up 1\n"),
        ("/", 404, b"not found\n"),
        ("/healthz?verbose=1", 200, b"ok\n"),
    ],
)
async def test_each_path_has_its_answer(path: str, status: int, body: bytes) -> None:
    """And the connection is closed after it."""
    async with serving() as port:
        found, head, content = await get(port, path)
    assert (found, content) == (status, body)
    assert "connection: close" in head
    assert ("version=1.0.0" in head) == (path == "/metrics")


async def idle(port: int, count: int, start: bytes = b"") -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open connections that send a part of a request, or nothing."""
    found = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for _, writer in found:
        writer.write(start)
    return found


async def closed(connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], count: int) -> None:
    """Wait until the server has closed the first ones."""
    async with asyncio.timeout(_GUARD_SECONDS):
        for reader, _ in connections[:count]:
            with suppress(ConnectionError):
                await reader.read()


@pytest.mark.parametrize("start", [b"", b"GET /metrics HTTP/1.1\r\nX: "])
async def test_probes_are_answered_while_hundreds_of_connections_are_held(start: bytes) -> None:
    """The oldest of them make room."""
    async with serving() as port:
        connections = await idle(port, 400, start)
        assert (await get(port, "/healthz"))[0] == 200
        await closed(connections, 400 - 128)
        more = await idle(port, 200, start)
        assert (await get(port, "/metrics"))[0] == 200
        for _, writer in connections + more:
            writer.close()


@pytest.mark.parametrize(
    "start", [b"", b"GET /metrics HTTP/1.1\r\n", b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_connection_lives_for_a_limited_time(start: bytes) -> None:
    """Also one that sends a byte now and then."""
    async with serving(max_seconds=0.3) as port:
        connections = await idle(port, 1, start)
        ((_, writer),) = connections
        end = asyncio.create_task(closed(connections, 1))
        while not end.done():
            writer.write(b"a")
            await asyncio.wait([end], timeout=0.02)
        await end
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(1_000)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00" * 10,
    ],
)
async def test_a_request_with_too_much_in_its_head_is_refused(request_: bytes) -> None:
    """With a status of the client's fault, and no more."""
    async with serving() as port:
        answer = await exchange(port, request_)
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 431", b"")
        assert (await get(port, "/healthz"))[0] == 200


def test_metrics_that_take_long_to_render_are_rendered_for_a_part_of_the_time() -> None:
    """Whoever asks all the time is served the last ones, so that the event loop has time for its work."""
    seconds, rendered_at = 0.0, []

    def render() -> bytes:
        nonlocal seconds
        rendered_at.append(seconds)
        seconds += 0.5
        return b"%d" % len(rendered_at)

    metrics = http_server.RenderedMetrics(render, timer=lambda: seconds)
    bodies = []
    while seconds < 12:
        bodies.append(metrics())
        seconds += 0.25
    assert rendered_at == [0.0, 5.5, 11.0]
    assert set(bodies) == {b"1", b"2", b"3"}


def test_metrics_whose_rendering_was_interrupted_for_an_hour_are_not_served_for_hours() -> None:
    """A frozen container, or a file on a server that does not answer."""
    seconds, interrupted, rendered_at = 0.0, 3600.0, []

    def render() -> bytes:
        nonlocal seconds, interrupted
        rendered_at.append(seconds)
        seconds, interrupted = seconds + interrupted, 0.0
        return b""

    metrics = http_server.RenderedMetrics(render, timer=lambda: seconds)
    metrics()
    for _ in range(20):
        metrics()
        seconds += 0.5
    assert rendered_at[:2] == [0.0, 3605.0]


_WITHIN_LIMIT = """
import asyncio, resource, sys
from pullkeeper.adapters import http_server
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
asyncio.run(http_server.serve(host="127.0.0.1", port=0, healthy=lambda: open("/dev/null").close(), ready=lambda: None,
    metrics=lambda: b"", content_type="text/plain", bound=lambda port: print(port, flush=True)))
"""


async def test_more_connections_than_files_may_be_open_leave_the_process_some() -> None:
    """The probe opens a file of its own, as everything else in the process does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WITHIN_LIMIT, stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    )
    try:
        assert process.stdout
        port = int(await asyncio.wait_for(process.stdout.readline(), _GUARD_SECONDS))
        connections = await idle(port, 600)
        assert (await get(port, "/healthz"))[2] == b"ok\n"
        for _, writer in connections:
            writer.close()
    finally:
        process.kill()
        await process.wait()


def test_the_soft_limit_on_open_files_is_raised_to_the_hard_one() -> None:
    """Where it may be."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        raise_file_limit()
        expected = 65_536 if before[1] == resource.RLIM_INFINITY else min(before[1], 65_536)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (expected, before[1])
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (expected, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
