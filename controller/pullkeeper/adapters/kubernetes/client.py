"""The connection to the Kubernetes API server: login, one request, one stream of lines."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from yarl import URL

from pullkeeper.domain.errors.failures import Failure, FailureError, NotLeadingError, Reason
from pullkeeper.domain.kube.api import ConnectionInfo, Response

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_ACCOUNT_VARIABLE = "PULLKEEPER_SERVICE_ACCOUNT_DIR"
"""Where the pod's token and CA are mounted, if not at the usual place."""

_DISCOVERY = "discovery"
"""Where the paths of no resource are asked: which ones there are."""

_LIMIT = aiohttp.ClientTimeout(total=10, connect=3)

Observe = Callable[[str, str, int, float], None]
"""Counts a request: verb, resource, status code (0: no answer), seconds."""


def instance() -> str:
    """Name this replica: in a pod its name."""
    return os.environ.get("HOSTNAME") or socket.gethostname()


class KubeClient:
    """A login that keeps itself fresh, and raw requests on it."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        observe: Observe,
        client: RESTClientObject | None = None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._configuration = configuration
        self._client = client or RESTClientObject(configuration)
        self._observe = observe
        self._may_write = may_write
        self._user_agent = f"pullkeeper/{version('pullkeeper')} ({instance()})"
        """Tells in the API server's audit log which replica it was."""

    def guarded(self, may_write: Callable[[], bool]) -> "KubeClient":
        """Give the same connection for whoever writes only while this replica leads; raises NotLeadingError then.

        It is asked as late as can be, when nothing is waited for any more before the request goes out.
        """
        return KubeClient(self._configuration, observe=self._observe, client=self._client, may_write=may_write)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    def trace(self) -> aiohttp.TraceConfig:
        """Give what counts the requests of another client of ours, each try of its own."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(_start)
        trace.on_request_end.append(self._end)
        trace.on_request_exception.append(self._end)
        return trace

    async def _end(
        self,
        _: aiohttp.ClientSession,
        context: Any,  # aiohttp's own namespace, on which a trace may write what it likes
        end: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        status = end.response.status if isinstance(end, aiohttp.TraceRequestEndParams) else 0
        self._observe(_verb(end.method, end.url), _resource(end.url.path), status, time.monotonic() - context.started)

    async def access(self) -> ConnectionInfo:
        """Tell how to reach the API server, with the token as it is on disk now."""
        conf = self._configuration
        header = await conf.get_api_key_with_prefix("BearerToken") or ""
        return ConnectionInfo(
            server=conf.host,
            ca_path=conf.ssl_ca_cert or None,
            token=header.partition(" ")[2] or None,
            certificate_path=conf.cert_file or None,
            key_path=conf.key_file or None,
            insecure=not conf.verify_ssl,
        )

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Response:
        """Make one request; raises FailureError when there is no answer."""
        headers = {"Content-Type": content_type, "Accept": accept}
        async with self._sent(verb, _with_query(path, query), headers, body=body, limit=_LIMIT) as response:
            text = await response.read()
            try:
                return Response(status=response.status, body=json.loads(text))
            except ValueError:
                if (answer := Response(status=response.status, body={})).ok:
                    raise  # a success without its object is none
                return answer

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open a watch and give its events; it raises FailureError when it is silent for that many seconds."""
        limit = aiohttp.ClientTimeout(total=None, connect=3, sock_read=silence)
        async with self._sent(
            "watch", _with_query(path, query), {"Accept": accept}, body=None, limit=limit
        ) as response:
            yield _events(response)

    @asynccontextmanager
    async def _sent(
        self, verb: str, target: str, headers: dict[str, str], *, body: object, limit: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        started, status = None, 0
        try:
            headers["User-Agent"] = self._user_agent
            if token := await self._configuration.get_api_key_with_prefix("BearerToken"):
                headers["Authorization"] = token
            if verb in _WRITES and not self._may_write():
                raise NotLeadingError(target)
            url = f"{self._configuration.host}{target}"
            started = time.monotonic()
            answer = await self._client.request(  # type: ignore[no-untyped-call] # the library has no types there
                _METHODS[verb], url, headers=headers, body=body, _request_timeout=limit
            )
            response: aiohttp.ClientResponse = answer.response
            status = response.status
            async with response:
                yield response
        except (aiohttp.ClientError, OSError, ValueError, ConfigException) as error:
            raise FailureError(_unavailable(self._configuration.host, error)) from None
        finally:
            if started is not None:
                self._observe(verb, _resource(target), status, time.monotonic() - started)


_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "patch": "PATCH",
    "delete": "DELETE",
}

_WRITES = frozenset({"create", "patch", "delete"})


async def _start(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestStartParams) -> None:
    context.started = time.monotonic()


def _verb(method: str, url: URL) -> str:
    """Name a request as RBAC does: a path of an odd number of parts is that of a collection."""
    if method != "GET":
        return {of: verb for verb, of in _METHODS.items()}[method]
    if url.query.get("watch") == "true":
        return "watch"
    return "list" if len(_after_group(url.path)) % 2 else "get"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Mapping[str, Any]]:
    if not Response(status=response.status, body={}).ok:
        yield {"type": "ERROR", "object": {"code": response.status}}
        return
    async for line in response.content:
        if not line.endswith(b"\n"):
            return  # the connection broke within a line; the watch goes on from the last whole one
        yield json.loads(line)


def _with_query(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _resource(target: str) -> str:
    """Name the resource of a request for the metrics: .../namespaces/NAME/secrets/NAME is secrets."""
    parts = _after_group(target)
    namespaced = len(parts) > 2 and parts[0] == "namespaces"  # noqa: PLR2004 -- namespaces, NAME, resource
    return parts[2] if namespaced else (*parts, _DISCOVERY)[0]


def _after_group(target: str) -> list[str]:
    parts = target.partition("?")[0].strip("/").split("/")
    return parts[2:] if parts[0] == "api" else parts[3:]


def _unavailable(host: str, error: Exception) -> Failure:
    what = type(error).__name__ if not isinstance(error, ConfigException) else str(error)
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=f"the API server at {host} cannot be reached: {what}")


async def connect(*, kubeconfig: str | None, observe: Observe, context: str | None = None) -> KubeClient:
    """Log in: with the given kubeconfig or context, else as the pod that this is, else with the user's kubeconfig.

    Raises FailureError with what is missing.
    """
    # No limit: watches hold connections for good, and whoever makes requests has a bound of its own.
    configuration = Configuration(connection_pool_maxsize=0)
    try:
        if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            _log_in_as_pod(configuration)
        else:
            await load_kube_config(  # type: ignore[no-untyped-call] # the library has no types there
                config_file=kubeconfig, context=context, client_configuration=configuration
            )
    except (ConfigException, OSError) as error:
        message = f"no way to log in to a Kubernetes API server: {error}; give --kubeconfig, or run in a pod"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None
    return KubeClient(configuration, observe=observe)


def _log_in_as_pod(configuration: Configuration) -> None:
    folder = Path(os.environ.get(SERVICE_ACCOUNT_VARIABLE, SERVICE_ACCOUNT))
    token_file = folder / "token"
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call] # the library has no types there
        token_filename=str(token_file), cert_filename=str(folder / "ca.crt"), try_refresh_token=False
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call] # the library has no types there

    async def read_again(configuration: Configuration) -> None:
        # The kubelet replaces the file long before the token in it dies, so the file is the truth at each request.
        token = await asyncio.to_thread(token_file.read_text)
        configuration.api_key["BearerToken"] = f"Bearer {token.strip()}"

    configuration.refresh_api_key_hook = read_again  # type: ignore[assignment] # declared as None, meant to be set
