"""HTTP server for /healthz, /readyz and /metrics on one port."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

Probe = Callable[[], str | None]
"""Returns what is wrong, or None."""


async def serve(
    *,
    host: str,
    port: int,
    healthy: Probe,
    ready: Probe,
    metrics: Callable[[], bytes],
    content_type: str,
    bound: Callable[[int], None],
) -> None:
    """Serve until cancelled; `bound` is called with the port. Raises OSError if the port cannot be bound."""
    app = web.Application()
    app.router.add_get("/healthz", _probe(healthy))
    app.router.add_get("/readyz", _probe(ready))

    async def render_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": content_type})

    app.router.add_get("/metrics", render_metrics)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _probe(probe: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        failure = probe()
        return web.Response(text=f"{failure or 'ok'}\n", status=503 if failure else 200)

    return handle
