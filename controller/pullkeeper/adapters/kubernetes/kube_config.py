"""Where the API server is and how to log in to it, from the pod's ServiceAccount, a kubeconfig or its exec plugin."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_ACCOUNT_VARIABLE = "PULLKEEPER_SERVICE_ACCOUNT_DIR"
"""Overrides the directory that the pod's token and CA certificate are mounted at."""


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
    """The kubeconfig's `proxy-url`, which may contain a password; None leaves it to the environment."""


class KubeConfig:
    """A loaded configuration whose credentials renew themselves."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def connection_info(self) -> ConnectionInfo:
        """Return the current address and credentials; raises FailureError if they cannot be renewed."""
        config = self._configuration
        return ConnectionInfo(
            server=config.host,
            authorization=await self._authorization(),
            ca_path=config.ssl_ca_cert or None,
            certificate_path=config.cert_file or None,
            key_path=config.key_file or None,
            insecure=not config.verify_ssl,
            tls_server_name=config.tls_server_name or None,
            proxy=config.proxy or None,
        )

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
    configuration = Configuration()
    try:
        if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            _load_service_account(configuration)
        else:
            await load_kube_config(  # type: ignore[no-untyped-call] # the library has no types there
                config_file=kubeconfig, context=context, client_configuration=configuration
            )
    except (ConfigException, OSError) as error:
        message = f"cannot log in to a Kubernetes API server: {error}; pass --kubeconfig or run in a pod"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None
    return KubeConfig(configuration)


def _load_service_account(configuration: Configuration) -> None:
    folder = Path(os.environ.get(SERVICE_ACCOUNT_VARIABLE, SERVICE_ACCOUNT))
    token_file = folder / "token"
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call] # the library has no types there
        token_filename=str(token_file), cert_filename=str(folder / "ca.crt"), try_refresh_token=False
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call] # the library has no types there

    async def read_token(configuration: Configuration) -> None:
        # The kubelet replaces the file well before the token in it expires, so every request reads it anew.
        token = await asyncio.to_thread(token_file.read_text)
        configuration.api_key["BearerToken"] = f"Bearer {token.strip()}"

    configuration.refresh_api_key_hook = read_token  # type: ignore[assignment] # declared as None, meant to be set
