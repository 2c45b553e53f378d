"""aiohttp sessions to the API server: TLS, headers, proxy and the counting of requests."""

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from importlib.metadata import version

import aiohttp
from yarl import URL

from pullkeeper.adapters.kubernetes.kube_config import ConnectionInfo

RecordRequest = Callable[[str, str, int], None]
"""Counts a request: verb, resource, status code (0 without a response)."""

METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
"""HTTP methods of the RBAC verbs."""

_READ_BUFFER = 2**21
"""Bytes; a watch event is one line, and that of a large object exceeds aiohttp's default of 64 KiB."""
_DISCOVERY = "discovery"
"""Counts requests for no resource, such as those for the list of resources."""


def instance() -> str:
    """Return the name of this replica: in a pod the pod's name."""
    return os.environ.get("HOSTNAME") or socket.gethostname()


def open_session(
    info: ConnectionInfo, record_request: RecordRequest, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
) -> aiohttp.ClientSession:
    """Open a session whose requests carry these credentials, unless they bring their own, and are counted."""
    headers = {"User-Agent": f"pullkeeper/{version('pullkeeper')} ({instance()})"}
    if info.authorization:
        headers["Authorization"] = info.authorization
    return aiohttp.ClientSession(
        # No limit: each watch occupies a connection for good, and the callers bound their own concurrency.
        connector=aiohttp.TCPConnector(limit=0, ssl=_ssl_context(info)),
        headers=headers,
        proxy=info.proxy,
        trust_env=True,
        read_bufsize=_READ_BUFFER,
        trace_configs=[_trace(record_request)],
        middlewares=[*middlewares, *_server_name(info.tls_server_name)],
    )


def _ssl_context(info: ConnectionInfo) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=info.ca_path)
    if info.certificate_path:
        context.load_cert_chain(info.certificate_path, keyfile=info.key_path)
    if info.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _server_name(name: str | None) -> Sequence[aiohttp.ClientMiddlewareType]:
    """Return a middleware that verifies the certificate against the kubeconfig's `tls-server-name`."""

    async def verify_against(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.server_hostname = name
        return await handler(request)

    return [verify_against] if name else []


def _trace(record_request: RecordRequest) -> aiohttp.TraceConfig:
    async def record(
        _: aiohttp.ClientSession,
        __: object,
        end: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        status = end.response.status if isinstance(end, aiohttp.TraceRequestEndParams) else 0
        record_request(_verb(end.method, end.url), _resource(end.url.path), status)

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


def _resource(path: str) -> str:
    """Return the resource of a request: `secrets` for .../namespaces/NAME/secrets/NAME."""
    parts = _resource_path(path)
    namespaced = len(parts) > 2 and parts[0] == "namespaces"  # noqa: PLR2004 -- namespaces, NAME, resource
    return parts[2] if namespaced else (*parts, _DISCOVERY)[0]


def _resource_path(path: str) -> list[str]:
    """Return the segments of a path behind the API group and version; the path that watches one object has `watch`."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    return parts[1:] if parts[:1] == ["watch"] else parts
