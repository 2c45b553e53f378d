"""What logging in to the API server is, whichever way."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

DEFAULT_NAMESPACE = "default"
"""Where kubectl looks if a context names no namespace."""


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


class LoginError(Exception):
    """There is no way to log in; the text says why, and quotes no credentials."""


class Login(Protocol):
    """A way to log in that has been loaded."""

    @property
    def server(self) -> str:
        """The API server's URL."""
        ...

    @property
    def namespace(self) -> str:
        """The context's namespace, or the pod's."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """When the credentials expire, None for never."""
        ...

    async def connection_info(self) -> ConnectionInfo:
        """Return the credentials that are valid now; raises LoginError, OSError or ValueError."""
        ...
