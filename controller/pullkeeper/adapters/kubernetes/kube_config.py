"""Where the API server is and how to log in to it, from the pod's ServiceAccount, a kubeconfig or its exec plugin."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, list_kube_config_contexts, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.proxy import proxy_for

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_ACCOUNT_VARIABLE = "PULLKEEPER_SERVICE_ACCOUNT_DIR"
"""Overrides the directory that the pod's token and CA certificate are mounted at."""
_DEFAULT_NAMESPACE = "default"
"""Where kubectl looks if a context names no namespace."""
_MAX_CAUSE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionInfo:
    """Address of the API server and the credentials that are valid for it now."""

    server: str
    authorization: str | None = field(repr=False)
    """Value of the Authorization header; None where a client certificate identifies the caller."""
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    insecure: bool
    """Skip the verification of the server's certificate."""
    tls_server_name: str | None
    proxy: str | None = field(repr=False)
    """The proxy, which may contain a password: the kubeconfig's `proxy-url`, or the environment's; None for none."""


Load = Callable[[], Awaitable[Configuration]]
"""Loads the configuration anew; raises ConfigException or OSError, among others."""

_RELOAD_INTERVAL = 10.0
"""Seconds between two attempts to get other credentials; an exec plugin may be slow, and may have none."""
_EXPIRY_MARGIN = timedelta(minutes=1)
_READ_INTERVAL = 1.0
"""Seconds for which a token is used without looking for another one; it is valid for minutes after it was replaced."""
_LOAD_SECONDS = 30.0
"""Deadline for loading the configuration, exec plugin included."""


class KubeConfig:
    """A loaded configuration whose credentials renew themselves."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        load: Load | None = None,
        expires_at: Callable[[], datetime | None] = lambda: None,
        proxied: bool = False,
        namespace: str = _DEFAULT_NAMESPACE,
    ) -> None:
        """Take over a configuration; without `load` its credentials are never replaced by other ones.

        `expires_at` tells when they expire, None for never. `proxied`: use the proxy that the environment names.
        """
        self._configuration = configuration
        self._load = load
        self._expires_at = expires_at
        self._proxied = proxied
        self.namespace = namespace
        """The context's namespace, or the pod's."""
        self._rejected = False
        self._loaded_at = asyncio.get_running_loop().time()
        self._loading = asyncio.Lock()
        self._info: ConnectionInfo | None = None
        self._read_at = 0.0

    def reject(self) -> None:
        """Note that the API server does not accept the credentials: get other ones before the next request."""
        self._rejected, self._info = True, None

    async def connection_info(self) -> ConnectionInfo:
        """Return the current address and credentials; raises FailureError if they cannot be renewed."""
        if self._load and self._is_stale():
            await self._reload(self._load)
        now = asyncio.get_running_loop().time()
        if self._info is None or now >= self._read_at + _READ_INTERVAL:
            self._info, self._read_at = await self._read_info(), now
        return self._info

    async def _read_info(self) -> ConnectionInfo:
        config = self._configuration
        return ConnectionInfo(
            server=config.host,
            authorization=await self._authorization(),
            ca_path=config.ssl_ca_cert or None,
            certificate_path=config.cert_file or None,
            key_path=config.key_file or None,
            insecure=not config.verify_ssl,
            tls_server_name=config.tls_server_name or None,
            proxy=config.proxy or (proxy_for(config.host, os.environ) if self._proxied else None),
        )

    def _is_stale(self) -> bool:
        expires_at = self._expires_at()
        expired = expires_at is not None and datetime.now(UTC) >= expires_at - _EXPIRY_MARGIN
        return (self._rejected or expired) and asyncio.get_running_loop().time() - self._loaded_at >= _RELOAD_INTERVAL

    async def _reload(self, load: Load) -> None:
        async with self._loading:
            if not self._is_stale():
                return  # another request has just done it
            self._loaded_at, self._rejected = asyncio.get_running_loop().time(), False
            self._configuration, self._info = await _loaded(load), None

    async def _authorization(self) -> str | None:
        try:
            return await self._configuration.get_api_key_with_prefix("BearerToken")
        except (ConfigException, OSError, ValueError) as error:
            # The text of a ValueError may quote what could not be parsed.
            cause = type(error).__name__ if isinstance(error, ValueError) else str(error)
            message = f"the credentials for the API server at {self._configuration.host} cannot be read: {cause}"
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None


async def load_config(*, kubeconfig: str | None, context: str | None) -> KubeConfig:
    """Load the given kubeconfig or context, else the pod's ServiceAccount, else the user's kubeconfig.

    Raises FailureError if none of them can be used.
    """
    if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        # Not proxied: in a pod the API server is a Service of the same cluster, which no proxy outside knows.
        return KubeConfig(await _loaded(_load_service_account), namespace=_pod_namespace())
    plugin = _Plugin()

    async def load() -> Configuration:
        configuration = Configuration()
        _check_file(kubeconfig)
        plugin.loader = await load_kube_config(  # type: ignore[no-untyped-call] # the library has no types there
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
        return configuration

    loaded = await _loaded(load, kubeconfig)
    namespace = _context_namespace(kubeconfig, context)
    return KubeConfig(loaded, load=load, expires_at=plugin.expires_at, proxied=True, namespace=namespace)


def _context_namespace(kubeconfig: str | None, context: str | None) -> str:
    """Return the namespace of a context that has just been loaded, so exists."""
    contexts, current = list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call] # the library has no types there
    chosen = next(each for each in [*contexts, current] if each["name"] == (context or current["name"]))
    return str(chosen["context"].get("namespace") or _DEFAULT_NAMESPACE)


def _pod_namespace() -> str:
    try:
        return (_service_account_folder() / "namespace").read_text().strip() or _DEFAULT_NAMESPACE
    except (OSError, ValueError):
        return _DEFAULT_NAMESPACE  # a ServiceAccount may be mounted without it


def _check_file(kubeconfig: str | None) -> None:
    """Raise ConfigException for a file that does not exist: the library would miss a key in it."""
    if kubeconfig and not Path(kubeconfig).is_file():
        raise ConfigException("there is no such file")


class _Plugin:
    """What the library knows of an exec plugin's credentials."""

    loader: object = None

    def expires_at(self) -> datetime | None:
        found = getattr(self.loader, "exec_plugin_expiry", None)
        return found if isinstance(found, datetime) else None


async def _loaded(load: Load, kubeconfig: str | None = None) -> Configuration:
    try:
        async with asyncio.timeout(_LOAD_SECONDS):
            return await load()
    except Exception as error:  # noqa: BLE001 -- the library raises whatever a file of another form leads to
        where = f" with {kubeconfig}" if kubeconfig else ""
        cause = str(error) if isinstance(error, ConfigException | OSError) and str(error) else type(error).__name__
        message = (
            f"cannot log in to a Kubernetes API server{where}: {printable(cause, _MAX_CAUSE)}; pass --kubeconfig with "
            "the path of a kubeconfig, or run in a pod"
        )
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None


def _service_account_folder() -> Path:
    return Path(os.environ.get(SERVICE_ACCOUNT_VARIABLE, SERVICE_ACCOUNT))


async def _load_service_account() -> Configuration:
    configuration = Configuration()
    folder = _service_account_folder()
    token_file = folder / "token"
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call] # the library has no types there
        token_filename=str(token_file), cert_filename=str(folder / "ca.crt"), try_refresh_token=False
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call] # the library has no types there

    def read_token(configuration: Configuration) -> None:
        # The kubelet replaces the file well before the token in it expires, so it is read again and again: without a
        # thread, because it is in memory (tmpfs), and name look-ups that hang may occupy all threads.
        configuration.api_key["BearerToken"] = f"Bearer {token_file.read_text().strip()}"

    configuration.refresh_api_key_hook = read_token  # type: ignore[assignment] # declared as None, meant to be set
    return configuration
