"""Logging in with a kubeconfig: its users, contexts and exec plugins, as the library kubernetes reads them."""

import os
from datetime import datetime
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, list_kube_config_contexts, load_kube_config

from pullkeeper.adapters.kubernetes.login import DEFAULT_NAMESPACE, ConnectionInfo, LoginError
from pullkeeper.domain.proxy import proxy_for


class KubeconfigLogin:
    """A user of a kubeconfig."""

    def __init__(self, configuration: Configuration, loader: object, namespace: str) -> None:
        self._configuration = configuration
        self._loader = loader
        self.server = configuration.host
        self.namespace = namespace

    @property
    def expires_at(self) -> datetime | None:
        """When an exec plugin's credentials expire."""
        found = getattr(self._loader, "exec_plugin_expiry", None)
        return found if isinstance(found, datetime) else None

    async def connection_info(self) -> ConnectionInfo:
        """Return the credentials that are valid now; raises LoginError, OSError or ValueError."""
        config = self._configuration
        try:
            authorization = await config.get_api_key_with_prefix("BearerToken")
        except ConfigException as error:
            raise LoginError(str(error)) from None
        return ConnectionInfo(
            server=config.host,
            authorization=authorization,
            ca_path=config.ssl_ca_cert or None,
            certificate_path=config.cert_file or None,
            key_path=config.key_file or None,
            insecure=not config.verify_ssl,
            tls_server_name=config.tls_server_name or None,
            proxy=config.proxy or proxy_for(config.host, os.environ),
        )


async def load(kubeconfig: str | None, context: str | None) -> KubeconfigLogin:
    """Load a context of a kubeconfig, the user's own where none is given; raises LoginError, among others."""
    _check_file(kubeconfig)
    configuration = Configuration()
    try:
        loader = await load_kube_config(  # type: ignore[no-untyped-call] # the library has no types there
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
        return KubeconfigLogin(configuration, loader, _namespace(kubeconfig, context))
    except ConfigException as error:
        raise LoginError(str(error)) from None


def _check_file(kubeconfig: str | None) -> None:
    if kubeconfig and not Path(kubeconfig).is_file():
        raise LoginError("there is no such file")  # the library would miss a key in it


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    """Return the namespace of a context that has just been loaded, so exists."""
    contexts, current = list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call] # the library has no types there
    chosen = next(each for each in [*contexts, current] if each["name"] == (context or current["name"]))
    return str(chosen["context"].get("namespace") or DEFAULT_NAMESPACE)
