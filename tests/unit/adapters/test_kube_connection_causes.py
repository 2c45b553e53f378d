"""Whatever aiohttp raises for a request to the API server has a cause of its own, or cannot come."""

import inspect
import socket
import ssl
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey

from pullkeeper.adapters.kubernetes.connection_errors import explain
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES
from tests.unit.adapters.connection_harness import connection_info

KEY = ConnectionKey("api.example", 6443, True, True, None, None, None)  # noqa: FBT003 -- a named tuple of aiohttp's
INFO = connection_info("https://api.example:6443")
_UNUSED = "of a part of aiohttp that nothing here uses"
NOT_OURS = {
    "ClientError": "a base class, raised for nothing",
    "ClientConnectionError": "a base class, raised for a session that was closed only",
    "ClientResponseError": "a base class; answers with an error status are no exceptions here",
    "ContentTypeError": _UNUSED,
    "RedirectClientError": _UNUSED,
    "ServerConnectionError": "a base class",
    "ServerFingerprintMismatch": _UNUSED,
    "TooManyRedirects": _UNUSED,
    "UploadAbortedError": _UNUSED,
    "WSMessageTypeError": _UNUSED,
    "WSServerHandshakeError": _UNUSED,
}


def exceptions() -> list[type[Exception]]:
    """Return every exception class of aiohttp's client."""
    found = [getattr(client_exceptions, name) for name in client_exceptions.__all__]
    return [each for each in found if inspect.isclass(each) and issubclass(each, Exception)]


@pytest.mark.parametrize("kind", exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_has_a_cause_or_cannot_come(kind: type[Exception]) -> None:
    """A new one in a new aiohttp fails here, unless a base of it has a cause."""
    known = KUBERNETES_CAUSES.names - {"Exception"}
    assert any(base.__name__ in known for base in kind.__mro__) is not (kind.__name__ in NOT_OURS)


def certificate(words: str) -> Exception:
    error = ssl.SSLCertVerificationError()
    error.verify_message = words
    return aiohttp.ClientConnectorCertificateError(KEY, error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (certificate("unable to get local issuer certificate"), "is not trusted by the system's CA certificates"),
        (certificate("certificate has expired"), "is not valid at this time (certificate has expired): renew it"),
        (certificate("Hostname mismatch, certificate is not valid for 'x'."), "its certificate is another host's"),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError()), "nothing listens there: check address and port"),
        (aiohttp.ClientConnectorError(KEY, OSError(101, "x")), "no connection can be made (OSError): check address"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror()), "its name cannot be resolved: check DNS"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError()), "the other end does not speak TLS"),
        (aiohttp.ServerDisconnectedError(), "the connection was broken off"),
        (aiohttp.SocketTimeoutError(), "no answer in time"),
        (ConnectionResetError(), "the connection was broken off"),
        (aiohttp.InvalidURL("x"), "its address is no URL"),
        (ValueError("hush"), "the response could not be read"),
    ],
)
def test_the_cause_is_named(error: Exception, words: str) -> None:
    """With the name of the exception; what an answer says is never quoted."""
    found = explain(error, INFO)
    assert found.startswith(f"{type(error).__name__}: ")
    assert words in found
    assert "hush" not in found


def test_the_ca_file_is_named() -> None:
    """Somebody has to look at it."""
    info = replace(INFO, ca_path="/ca.crt")
    assert "the CA certificates in /ca.crt (self-signed)" in explain(certificate("self-signed"), info)
