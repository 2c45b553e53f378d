"""Why the API server cannot be reached: the cause in words, from what aiohttp raises."""

import errno
import ssl

import aiohttp
from yarl import URL

from pullkeeper.adapters.kubernetes.login import ConnectionInfo
from pullkeeper.domain.errors.causes import Raised
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES
from pullkeeper.domain.errors.text import printable

_MAX_CAUSE = 150


def unreachable(error: Exception, info: ConnectionInfo) -> str:
    """Say that the API server cannot be reached, and why."""
    return f"the API server at {info.server} cannot be reached: {explain(error, info)}"


def explain(error: Exception, info: ConnectionInfo) -> str:
    """Return the cause of a failed request and where to look; never the text of a response."""
    error = _silence(error) or error
    names = tuple(each.__name__ for each in type(error).__mro__)
    why = _why(error)
    values = {
        "why": why,
        "trusted": f"the CA certificates in {info.ca_path}" if info.ca_path else "the system's CA certificates",
        "proxy": _proxy(info),
        "status": str(getattr(error, "status", "")),
    }
    return f"{names[0]}: {KUBERNETES_CAUSES.find(Raised(names=names, words=why)).text(values)}"


def _silence(error: Exception) -> TimeoutError | None:
    """Return a timeout if keepalive has given up a connection: its packets were swallowed, under an answer perhaps."""
    # aiohttp keeps what broke an answer off in the text alone, as the exception's representation.
    under_an_answer = isinstance(error, aiohttp.ClientPayloadError) and "TimeoutError(" in str(error)
    given_up = isinstance(error, OSError) and error.errno == errno.ETIMEDOUT
    return TimeoutError() if under_an_answer or given_up else None


def _why(error: Exception) -> str:
    """Return what TLS or the operating system says, as far as it is harmless."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found = error.certificate_error
        why = found.verify_message if isinstance(found, ssl.SSLCertVerificationError) else type(found).__name__
        return printable(str(why), _MAX_CAUSE)
    return type(error.os_error).__name__ if isinstance(error, aiohttp.ClientConnectorError) else ""


def _proxy(info: ConnectionInfo) -> str:
    """Return the proxy without what may be a password."""
    url = URL(info.proxy or "")
    return f"{url.host}:{url.port}"
