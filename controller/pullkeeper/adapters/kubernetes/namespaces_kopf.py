"""Kopf's door: it watches the Namespaces, and each event is handed on as it comes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

import aiohttp
import kopf

from pullkeeper.domain.kube.api import ConnectionInfo
from pullkeeper.domain.namespace.namespace import ObservedNamespace

logger = logging.getLogger(__name__)


class _EndlessBackoff:
    """Pauses (seconds) between tries of a watch: kopf gives one up when they run out, so these never do."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1.0)
        while True:
            yield 2.0


class Sink(Protocol):
    """Whoever takes note of Namespaces."""

    def upsert(self, view: ObservedNamespace) -> None:
        """One is there, or has changed."""

    def delete(self, name: str) -> None:
        """One is gone."""


def registry(
    sink: Sink,
    view: Callable[[Any], ObservedNamespace],
    access: Callable[[], Awaitable[ConnectionInfo]],
    trace: aiohttp.TraceConfig,
) -> kopf.OperatorRegistry:
    """Make the registry of our handlers: explicit, because kopf's own is global and filled at import."""
    handlers = kopf.OperatorRegistry()
    sessions = _Sessions(trace)

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return sessions.get(await access())

    # Not filtered by annotation: kopf filters by the present body, so an opt-out would never arrive.
    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def namespace(type: str | None, meta: kopf.Meta, **_: Any) -> None:  # noqa: A002 -- kopf's own name
        if type == "DELETED":
            sink.delete(str(meta["name"]))
        else:
            sink.upsert(view(meta))

    return handlers


async def operate(handlers: kopf.OperatorRegistry, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Watch until told to stop."""
    await kopf.operator(
        registry=handlers,
        settings=_settings(),
        clusterwide=True,
        standalone=True,
        ready_flag=ready,
        stop_flag=stop,
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 3
    settings.networking.request_timeout = 30
    settings.networking.trust_env = True
    settings.networking.error_backoffs = _EndlessBackoff()
    settings.queueing.exit_timeout = 0.5
    return settings


class _Sessions:
    """Makes the session that kopf's requests go through, so that they are counted where they leave."""

    def __init__(self, trace: aiohttp.TraceConfig) -> None:
        self._trace = trace
        self._access: ConnectionInfo | None = None
        self._session: kopf.AiohttpSession | None = None

    def get(self, access: ConnectionInfo) -> kopf.AiohttpSession:
        """Give the same session for the same access: by that kopf knows that it has been refused already."""
        if self._session is None or access != self._access:
            self._access, self._session = access, self._make(access)
        return self._session

    def _make(self, access: ConnectionInfo) -> kopf.AiohttpSession:
        info = _connection(access)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            trust_env=True,
            trace_configs=[self._trace],
            middlewares=[_closed_under_us],
        )
        return kopf.AiohttpSession(server=access.server, aiohttp_session=session)


async def _closed_under_us(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Say it as kopf expects it: at a refused token it closes the session under requests that are on their way."""
    try:
        return await send(request)
    except AssertionError:  # aiohttp's, where the connector is gone
        raise RuntimeError("the session was closed") from None


def _connection(access: ConnectionInfo) -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_path,
        scheme="Bearer" if access.token else None,
        token=access.token,
        certificate_path=access.certificate_path,
        private_key_path=access.key_path,
        insecure=access.insecure,
    )
