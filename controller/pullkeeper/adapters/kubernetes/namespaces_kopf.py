"""The watch of Namespaces, which kopf runs; each event is passed on as it arrives."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import aiohttp

from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.adapters.kubernetes.connection_errors import unreachable
from pullkeeper.adapters.kubernetes.listing import PAGE_SIZE
from pullkeeper.adapters.kubernetes.login import ConnectionInfo
from pullkeeper.adapters.kubernetes.optional_imports import not_importable
from pullkeeper.domain.errors.said_causes import WORKED_SECONDS, SaidCauses
from pullkeeper.domain.kube.api import FORBIDDEN
from pullkeeper.domain.namespace.namespace import ObservedNamespace

with not_importable("kubernetes"):  # which kopf imports if it can, to know its objects: 20 MiB, and none comes here
    import kopf

logger = logging.getLogger(__name__)


class _EndlessBackoff:
    """Pauses in seconds between attempts of a watch; never ends, because kopf gives a watch up when it does."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1.0)
        while True:
            yield 2.0


class Disturbance:
    """What disturbs kopf, said once for each cause: kopf logs each attempt, with what was answered.

    It is over when a watch that was opened has lasted. For how long kopf runs says nothing: it counts as started before
    it has been let in, and may take long over that.
    """

    def __init__(self) -> None:
        self._causes = SaidCauses()
        self._worked_since: float | None = None

    def work(self) -> None:
        """Take note that a watch was opened, and so that it works if it lasts."""
        self._worked_since = asyncio.get_running_loop().time()

    def fail(self, cause: str) -> None:
        """Take note that a request has failed."""
        self._warn(f"watch of Namespaces failed: {cause}; it is tried again")

    def end(self, cause: str) -> None:
        """Take note that kopf has ended."""
        self._warn(f"watch of Namespaces ended: {cause}; listing anew")

    def _warn(self, line: str) -> None:
        since, self._worked_since = self._worked_since, None
        if since is not None and asyncio.get_running_loop().time() - since > WORKED_SECONDS:
            self._causes.end()
        if self._causes.is_new(line):
            logger.warning("%s", line)


class NamespaceHandler(Protocol):
    """Receives the Namespaces."""

    def upsert(self, namespace: ObservedNamespace, /) -> None:
        """Handle a Namespace that was added or modified."""

    def delete(self, namespace: ObservedNamespace, /) -> None:
        """Handle the deletion of a Namespace; this is its last version."""


def registry(
    handler: NamespaceHandler,
    translate: Callable[[Any], ObservedNamespace],
    client: KubeClient,
    *,
    restart: asyncio.Event,
    on_open: Callable[[], None],
    disturbance: Disturbance,
) -> kopf.OperatorRegistry:
    """Build a registry of our handlers; kopf's default one is global and filled at import.

    `on_open` is called whenever the API server has accepted a watch. While `restart` is set, what kopf still hands over
    is dropped: it was queued before, and may be of a history that has been put back.
    """
    handlers = kopf.OperatorRegistry()
    sessions = _Sessions(client, on_open, disturbance)

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return await sessions.get()

    # Not filtered by annotation: kopf filters by the current body, so an opt-out would never arrive.
    @kopf.on.event("", "v1", "namespaces", registry=handlers)
    async def namespace(type: str | None, meta: kopf.Meta, **_: Any) -> None:  # noqa: A002 -- kopf's own name
        if restart.is_set():
            return
        if type == "DELETED":
            handler.delete(translate(meta))
        else:
            handler.upsert(translate(meta))

    return handlers


async def operate(
    new_registry: Callable[[], kopf.OperatorRegistry],
    *,
    on_start: Callable[[], None],
    disturbance: Disturbance,
    stop: asyncio.Event,
    restart: asyncio.Event,
) -> None:
    """Watch the Namespaces until `stop` is set or a signal ends kopf; calls `on_start` each time that it has started.

    kopf ends by itself when a watch ends with an error other than 410; then it is started anew, which lists anew, with
    a new registry: it has closed the session of the old one. The same is done when `restart` is set.
    """
    pauses = iter(_EndlessBackoff())
    while True:
        restart.clear()
        try:
            await _operate_once(new_registry(), on_start, asyncio.ensure_future(_either(stop, restart)))
        except Exception as error:  # noqa: BLE001 -- kopf passes on whatever has ended it
            if stop.is_set():
                return
            disturbance.end(_cause(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(next(pauses)):
                    await stop.wait()
        else:
            if stop.is_set() or not restart.is_set():
                return  # stopped, or by a signal that came before `on_start` and so to kopf's own handlers


def _cause(error: Exception) -> str:
    """Return the type of an error, and the status if the API server has answered; its text may quote an object."""
    status = getattr(error, "status", None)
    return type(error).__name__ + (f" (status {status})" if isinstance(status, int) else "")


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _operate_once(
    handlers: kopf.OperatorRegistry, on_start: Callable[[], None], ended: "asyncio.Future[None]"
) -> None:
    async def report_start() -> None:
        await ready.wait()
        on_start()

    ready = asyncio.Event()
    starting = asyncio.create_task(report_start())
    try:
        await kopf.operator(
            registry=handlers,
            settings=_settings(),
            clusterwide=True,
            standalone=True,
            ready_flag=ready,
            stop_flag=ended,
        )
    finally:
        starting.cancel()
        ended.cancel()


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    # Nothing is stored on a Namespace; the storages by default would be asked for each event all the same.
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.persistence.progress_storage = kopf.MultiProgressStorage([])
    settings.watching.chunk_size = PAGE_SIZE
    # A worker keeps the whole body of its object for so long: of every Namespace at once, as they are listed.
    settings.queueing.idle_timeout = 0.1
    settings.watching.connect_timeout = 3
    settings.networking.request_timeout = 30
    settings.networking.trust_env = False  # the session of ours knows the proxy
    settings.networking.error_backoffs = _EndlessBackoff()
    settings.queueing.exit_timeout = 0.5
    return settings


class _NoDifferences(kopf.DiffBaseStorage):
    """Spares a copy of each Namespace, of up to 256 KiB, for handlers of changes, of which there are none."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return nothing that could differ."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return no former state."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing on a Namespace."""


class _Sessions:
    """Opens the sessions of kopf's requests."""

    def __init__(self, client: KubeClient, on_open: Callable[[], None], disturbance: Disturbance) -> None:
        self._client = client
        self._on_open = on_open
        self._disturbance = disturbance
        self._info: ConnectionInfo | None = None
        self._session: kopf.AiohttpSession | None = None

    async def get(self) -> kopf.AiohttpSession:
        """Return the same session for the same credentials, by which kopf knows that they were rejected before."""
        info = await self._client.connection_info()
        if self._session is None or info != self._info:
            session = self._client.new_session(info, middlewares=[_report_closed_session, self._note])
            self._info, self._session = info, kopf.AiohttpSession(server=info.server, aiohttp_session=session)
        return self._session

    async def _note(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        try:
            response = await handler(request)
        except (aiohttp.ClientError, OSError) as error:
            if self._info is not None:
                self._disturbance.fail(unreachable(error, self._info))
            raise
        if not response.ok:
            self._disturbance.fail(_refused(response.status))
        elif request.url.query.get("watch") == "true":
            self._disturbance.work()
            self._on_open()
        return response


def _refused(status: int) -> str:
    advice = ": grant list and watch on namespaces, unless it is just starting" if status == FORBIDDEN else ""
    return f"the API server answered with status {status}{advice}"


async def _report_closed_session(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Raise what kopf expects: when a token is rejected, it closes the session while requests are in flight."""
    try:
        return await handler(request)
    except AssertionError:  # raised by aiohttp without a connector
        raise RuntimeError("the session was closed") from None
