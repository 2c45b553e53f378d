"""The one client of the Kubernetes API server: requests and watches with a fresh token, and the leader gate."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

import aiohttp

from pullkeeper.adapters.kubernetes.api_errors import refusal
from pullkeeper.adapters.kubernetes.connection_errors import unreachable
from pullkeeper.adapters.kubernetes.kube_config import KubeConfig, load_config
from pullkeeper.adapters.kubernetes.login import ConnectionInfo
from pullkeeper.adapters.kubernetes.session import METHODS, RecordRequest, last_check, open_session, resource_of
from pullkeeper.domain.errors.failures import Failure, FailureError, NotLeadingError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, JSON, Response

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=65, connect=3)
"""A little more than the API server's own limit for a request, which is a minute by default (--request-timeout)."""
_UNAUTHORIZED = 401
_SERVER_ERROR = 500
_READY_PATH = "/readyz"
_WRITES = frozenset({"create", "patch", "delete"})


class ApiClient(Protocol):
    """Carries requests to the API server; KubeClient, or a fake in its place."""

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Response:
        """Make one request with an RBAC verb; raises FailureError without a response, and NotLeadingError."""
        ...

    def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, idle_timeout: float
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """Open a watch and yield its events; raises FailureError after `idle_timeout` seconds without data."""
        ...


class KubeClient:
    """An aiohttp session to the API server whose every request carries the token that is valid by then."""

    def __init__(
        self,
        config: KubeConfig,
        session: aiohttp.ClientSession,
        *,
        record_request: RecordRequest,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._config = config
        self._session = session
        self._record_request = record_request
        self._may_write = may_write

    def leader_gated(self, is_leader: Callable[[], bool]) -> "KubeClient":
        """Return a client on the same session whose writes raise NotLeadingError unless this replica leads.

        Leadership is checked before a connection is opened, and again when it is open, just before the request is sent.
        """
        return KubeClient(self._config, self._session, record_request=self._record_request, may_write=is_leader)

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context, or the pod's."""
        return self._config.namespace

    async def connection_info(self) -> ConnectionInfo:
        """Return the address and the credentials that are valid now; raises FailureError."""
        return await self._config.connection_info()

    def new_session(
        self, info: ConnectionInfo, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
    ) -> aiohttp.ClientSession:
        """Open another session like the client's own, for a library that makes its requests itself.

        It keeps the token that is passed in. The caller closes it.
        """
        return open_session(info, [*middlewares, self._note_rejection], record=self._record_request)

    async def _note_rejection(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        response = await handler(request)
        self._note_status(response.status)
        return response

    def _note_status(self, status: int) -> None:
        if status == _UNAUTHORIZED:
            self._config.reject()

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Response:
        """Make one request with an RBAC verb; raises FailureError without a response, and NotLeadingError."""
        headers, data = {"Accept": accept}, None
        if body is not None:
            headers["Content-Type"], data = content_type, json.dumps(body).encode()
        limit = _LIST_TIMEOUT if verb == "list" else _REQUEST_TIMEOUT
        info = await self._authorize(headers)
        with _Reaching(info):
            async with await self._send(
                info, verb, path, query=query, headers=headers, limit=limit, data=data
            ) as response:
                parsed = _parse(response.status, await response.read())
        if parsed.status == FORBIDDEN and refusal(parsed) is None:
            await self._check_rights_loaded()
        return parsed

    async def _check_rights_loaded(self) -> None:
        """Raise FailureError if a request was denied because the API server is starting: no grant would help.

        Until it has read the Roles it denies everything, also what the default ClusterRole system:public-info-viewer
        lets everybody read; and it is not ready.
        """
        info = await self._authorize(headers := dict[str, str]())
        with _Reaching(info):
            async with await self._send(
                info, "get", _READY_PATH, query=None, headers=headers, limit=_REQUEST_TIMEOUT
            ) as response:
                status = response.status
        if status == FORBIDDEN or status >= _SERVER_ERROR:
            message = (
                "the API server denies what it may allow in a moment: it is starting, and has not read all Roles "
                f"(its {_READY_PATH} answers with status {status}); if that lasts, `pullkeeper check` says which "
                "rights are missing"
            )
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, idle_timeout: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open a watch and yield its events; raises FailureError after `idle_timeout` seconds without data."""
        limit = aiohttp.ClientTimeout(total=None, connect=3, sock_read=idle_timeout)
        info = await self._authorize(headers := {"Accept": accept})
        with _Reaching(info):
            async with await self._send(info, "watch", path, query=query, headers=headers, limit=limit) as response:
                yield _events(response)

    async def _authorize(self, headers: dict[str, str]) -> ConnectionInfo:
        """Add the credentials that are valid now, and return where to send them; raises FailureError."""
        info = await self._config.connection_info()
        if info.authorization:
            headers["Authorization"] = info.authorization
        return info

    async def _send(
        self,
        info: ConnectionInfo,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        limit: aiohttp.ClientTimeout,
        data: bytes | None = None,
    ) -> aiohttp.ClientResponse:
        """Send one request, if it may be sent now, and count it; the caller closes the response."""
        check = partial(self._check_may_send, verb, path)
        check()
        status = 0
        try:
            with last_check(check):
                response = await self._session.request(
                    METHODS[verb], f"{info.server}{path}", params=query, headers=headers, data=data, timeout=limit
                )
            status = response.status
        finally:
            self._record_request(verb, resource_of(path), status)
        self._note_status(status)
        return response

    def _check_may_send(self, verb: str, path: str) -> None:
        if verb in _WRITES and not self._may_write():
            raise NotLeadingError(path)


class _Reaching:
    """Turns what goes wrong on the way to the API server into FailureError."""

    __slots__ = ("_info",)

    def __init__(self, info: ConnectionInfo) -> None:
        self._info = info

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            message = unreachable(error, self._info)
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None


async def connect(*, kubeconfig: str | None, record_request: RecordRequest, context: str | None = None) -> KubeClient:
    """Log in with the given kubeconfig or context, else as the pod's ServiceAccount, else with the user's kubeconfig.

    Raises FailureError if none of them can be used.
    """
    config = await load_config(kubeconfig=kubeconfig, context=context)
    session = open_session(await config.connection_info())
    return KubeClient(config, session, record_request=record_request)


def _parse(status: int, text: bytes) -> Response:
    """Parse a response; raises ValueError for a success without an object."""
    try:
        body = json.loads(text)
    except ValueError:
        if Response(status=status, body={}).ok:
            raise
        body = {}
    return Response(status=status, body=body)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Mapping[str, Any]]:
    if not Response(status=response.status, body={}).ok:
        yield {"type": "ERROR", "object": {"code": response.status}}
        return
    async for line in response.content:
        if not line.endswith(b"\n"):
            return  # the connection broke within a line; the next watch resumes after the last complete one
        yield json.loads(line)
