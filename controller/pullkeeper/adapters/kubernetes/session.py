"""aiohttp sessions to the API server: TLS, headers, proxy and the counting of requests."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from pullkeeper.adapters.kubernetes.certificates import Certificates
from pullkeeper.adapters.kubernetes.login import ConnectionInfo
from pullkeeper.adapters.name_resolver import NameResolver

RecordRequest = Callable[[str, str, int], None]
"""Counts a request: verb, resource, status code (0 without a response)."""

METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
"""HTTP methods of the RBAC verbs."""

_READ_BUFFER = 2**21
"""Bytes; a watch event is one line, and that of a large object exceeds aiohttp's default of 64 KiB."""
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_PROBES, _UNACKNOWLEDGED = 10, 5, 3, 20
"""Seconds, but for the number of probes: 25 s until a silent connection is given up, 20 s with data under way."""
_DISCOVERY = "discovery"
"""Counts requests for no resource, such as those for the list of resources."""


def instance() -> str:
    """Return the name of this replica: in a pod the pod's name."""
    return os.environ.get("HOSTNAME") or socket.gethostname()


def open_session(
    info: ConnectionInfo,
    middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    *,
    record: RecordRequest | None = None,
) -> aiohttp.ClientSession:
    """Open a session whose requests carry these credentials, unless they bring their own.

    With `record` it counts its requests itself. Its requests take the `last_check` that they are made under.
    """
    headers = {"User-Agent": f"pullkeeper/{version('pullkeeper')} ({instance()})"}
    if info.authorization:
        headers["Authorization"] = info.authorization
    certificates = Certificates(info)

    def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
        # The one place that every new connection comes through, and only a new one shows or verifies a certificate.
        certificates.reload_if_changed()
        return _open_socket(address)

    return aiohttp.ClientSession(
        # No limit: each watch occupies a connection for good, and the callers bound their own concurrency.
        connector=aiohttp.TCPConnector(
            limit=0, ssl=certificates.context, socket_factory=open_socket, resolver=NameResolver()
        ),
        headers=headers,
        # Not `trust_env`: aiohttp knows no networks in NO_PROXY, and a `default` entry in ~/.netrc makes it fail.
        proxy=info.proxy,
        read_bufsize=_READ_BUFFER,
        trace_configs=[_trace(record)] if record else None,
        request_class=_CheckedRequest,
        middlewares=[*middlewares, *_server_name(info.tls_server_name)],
    )


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket that notices within half a minute that nothing arrives any more.

    A load balancer or firewall that forgets a connection drops its packets without a word. A connection without data
    is probed after _KEEPALIVE_IDLE seconds, and data that is not acknowledged breaks it after _UNACKNOWLEDGED.
    """
    family, kind, protocol, *_ = address
    opened = socket.socket(family=family, type=kind, proto=protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED * 1000)
    return opened


def _server_name(name: str | None) -> Sequence[aiohttp.ClientMiddlewareType]:
    """Return a middleware that verifies the certificate against the kubeconfig's `tls-server-name`."""

    async def verify_against(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.server_hostname = name
        return await handler(request)

    return [verify_against] if name else []


_LAST_CHECK = ContextVar[Callable[[], None]]("_LAST_CHECK")


@contextmanager
def last_check(check: Callable[[], None]) -> Iterator[None]:
    """Call this for each request made in the block when its connection is open, just before its first byte is sent.

    If it raises, nothing is sent.
    """
    token = _LAST_CHECK.set(check)
    try:
        yield
    finally:
        _LAST_CHECK.reset(token)


class _CheckedRequest(aiohttp.ClientRequest):
    """Calls its `last_check`: a trace could do that too, at the cost of all its other signals for each request."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if (check := _LAST_CHECK.get(None)) is not None:
            check()
        return await super().send(conn)


def _trace(record_request: RecordRequest) -> aiohttp.TraceConfig:
    async def record(
        _: aiohttp.ClientSession,
        __: object,
        end: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        status = end.response.status if isinstance(end, aiohttp.TraceRequestEndParams) else 0
        record_request(_verb(end.method, end.url), resource_of(end.url.path), status)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(record)
    trace.on_request_exception.append(record)
    return trace


def _verb(method: str, url: URL) -> str:
    """Return the RBAC verb of a request; the path of a collection has an odd number of segments."""
    if method != "GET":
        return {http: verb for verb, http in METHODS.items()}[method]
    if url.query.get("watch") == "true":
        return "watch"
    return "list" if len(_resource_path(url.path)) % 2 else "get"


def resource_of(path: str) -> str:
    """Return the resource of a request's path: `secrets` for .../namespaces/NAME/secrets/NAME."""
    parts = _resource_path(path)
    namespaced = len(parts) > 2 and parts[0] == "namespaces"  # noqa: PLR2004 -- namespaces, NAME, resource
    return parts[2] if namespaced else (*parts, _DISCOVERY)[0]


def _resource_path(path: str) -> list[str]:
    """Return the segments of a path behind the API group and version; the path that watches one object has `watch`."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    return parts[1:] if parts[:1] == ["watch"] else parts
