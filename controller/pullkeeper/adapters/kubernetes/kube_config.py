"""Where the API server is and how to log in to it: as the pod's ServiceAccount, or with a kubeconfig."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pullkeeper.adapters.kubernetes.login import DEFAULT_NAMESPACE, ConnectionInfo, Login, LoginError
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.text import printable

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_ACCOUNT_VARIABLE = "PULLKEEPER_SERVICE_ACCOUNT_DIR"
"""Overrides the directory that the pod's token and CA certificate are mounted at."""
_MAX_CAUSE = 200


Load = Callable[[], Awaitable[Login]]
"""Loads the way to log in anew; raises LoginError or OSError, among others."""

_RELOAD_INTERVAL = 10.0
"""Seconds between two attempts to get other credentials; an exec plugin may be slow, and may have none."""
_EXPIRY_MARGIN = timedelta(minutes=1)
_READ_INTERVAL = 1.0
"""Seconds for which a token is used without looking for another one; it is valid for minutes after it was replaced."""
_LOAD_SECONDS = 30.0
"""Deadline for loading, an exec plugin included."""


class KubeConfig:
    """A loaded way to log in, whose credentials renew themselves."""

    def __init__(self, login: Login, *, load: Load | None = None) -> None:
        """Take over a way to log in; without `load` it is never replaced by another one."""
        self._login = login
        self._load = load
        self._rejected = False
        self._loaded_at = asyncio.get_running_loop().time()
        self._loading = asyncio.Lock()
        self._info: ConnectionInfo | None = None
        self._read_at = 0.0

    @property
    def namespace(self) -> str:
        """The context's namespace, or the pod's."""
        return self._login.namespace

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
        try:
            return await self._login.connection_info()
        except (LoginError, OSError, ValueError) as error:
            # The text of a ValueError may quote what could not be parsed.
            cause = type(error).__name__ if isinstance(error, ValueError) else str(error)
            message = f"the credentials for the API server at {self._login.server} cannot be read: {cause}"
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None

    def _is_stale(self) -> bool:
        expires_at = self._login.expires_at
        expired = expires_at is not None and datetime.now(UTC) >= expires_at - _EXPIRY_MARGIN
        return (self._rejected or expired) and asyncio.get_running_loop().time() - self._loaded_at >= _RELOAD_INTERVAL

    async def _reload(self, load: Load) -> None:
        async with self._loading:
            if not self._is_stale():
                return  # another request has just done it
            self._loaded_at, self._rejected = asyncio.get_running_loop().time(), False
            self._login, self._info = await _loaded(load), None


async def load_config(*, kubeconfig: str | None, context: str | None) -> KubeConfig:
    """Load the given kubeconfig or context, else the pod's ServiceAccount, else the user's kubeconfig.

    Raises FailureError if none of them can be used.
    """
    if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return KubeConfig(await _loaded(_load_service_account))
    # Not at the top: it imports kubernetes, which takes 20 MiB that a controller in a pod never needs.
    from pullkeeper.adapters.kubernetes import kubeconfig_file  # noqa: PLC0415 -- as said above

    load = partial(kubeconfig_file.load, kubeconfig, context)
    return KubeConfig(await _loaded(load, kubeconfig), load=load)


async def _loaded(load: Load, kubeconfig: str | None = None) -> Login:
    try:
        async with asyncio.timeout(_LOAD_SECONDS):
            return await load()
    except Exception as error:  # noqa: BLE001 -- the library raises whatever a file of another form leads to
        where = f" with {kubeconfig}" if kubeconfig else ""
        cause = str(error) if isinstance(error, LoginError | OSError) and str(error) else type(error).__name__
        message = (
            f"cannot log in to a Kubernetes API server{where}: {printable(cause, _MAX_CAUSE)}; pass --kubeconfig with "
            "the path of a kubeconfig, or run in a pod"
        )
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class _ServiceAccountLogin:
    """The pod's ServiceAccount, from where it is mounted."""

    server: str
    folder: Path
    namespace: str
    expires_at: datetime | None = None

    async def connection_info(self) -> ConnectionInfo:
        # The kubelet replaces the file well before the token in it expires, so it is read again and again: without a
        # thread, because it is in memory (tmpfs), and name look-ups that hang may occupy all threads.
        token = (self.folder / "token").read_text().strip()
        return ConnectionInfo(
            server=self.server,
            authorization=f"Bearer {token}",
            ca_path=str(self.folder / "ca.crt"),
            certificate_path=None,
            key_path=None,
            insecure=False,
            tls_server_name=None,
            # In a pod the API server is a Service of the same cluster, which no proxy outside knows.
            proxy=None,
        )


async def _load_service_account() -> Login:
    folder = Path(os.environ.get(SERVICE_ACCOUNT_VARIABLE, SERVICE_ACCOUNT))
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not (host and port):
        raise LoginError("KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is empty")
    for name in ("token", "ca.crt"):
        if not (folder / name).read_text().strip():
            raise LoginError(f"{folder / name} is empty")
    address = f"[{host}]" if ":" in host else host
    return _ServiceAccountLogin(server=f"https://{address}:{port}", folder=folder, namespace=_namespace(folder))


def _namespace(folder: Path) -> str:
    try:
        return (folder / "namespace").read_text().strip() or DEFAULT_NAMESPACE
    except (OSError, ValueError):
        return DEFAULT_NAMESPACE  # a ServiceAccount may be mounted without it
