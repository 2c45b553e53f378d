"""Why the API server cannot be reached: the cause in words, from what aiohttp raises."""

import ssl
from collections.abc import Sequence

import aiohttp
from yarl import URL

from pullkeeper.adapters.kubernetes.kube_config import ConnectionInfo
from pullkeeper.domain.errors.text import printable

_MAX_CAUSE = 150


def explain(error: Exception, info: ConnectionInfo) -> str:
    """Return the cause of a failed request and where to look; never the text of a response."""
    return f"{type(error).__name__}: {_cause(error, info)}"


def _cause(error: Exception, info: ConnectionInfo) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error.certificate_error, info)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy {_proxy(info)} answered with status {error.status}: check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {_proxy(info)} cannot be reached: check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "nothing listens there: check address and port"
    return next((words for kinds, words in _WORDS if isinstance(error, kinds)), "the response could not be read")


_WORDS: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (aiohttp.ClientConnectorSSLError, "the other end does not speak TLS: check address and port"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved: check DNS"),
    (TimeoutError, "no answer in time: check the network on the way, such as a NetworkPolicy or a firewall"),
    (
        (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError, ConnectionError),
        "the connection was broken off",
    ),
)


def _certificate(error: Exception, info: ConnectionInfo) -> str:
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else type(error).__name__
    trusted = f"the CA certificates in {info.ca_path}" if info.ca_path else "the system's CA certificates"
    return f"its certificate is not trusted by {trusted} ({printable(str(why), _MAX_CAUSE)})"


def _proxy(info: ConnectionInfo) -> str:
    """Return the proxy without what may be a password."""
    url = URL(info.proxy or "")
    return f"{url.host}:{url.port}"
