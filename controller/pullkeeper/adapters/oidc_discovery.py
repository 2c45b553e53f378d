"""What anybody can fetch of an OIDC issuer: its discovery document and its key set, as AWS would."""

import asyncio
import json
import os
import socket
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import ResolveResult

from pullkeeper.adapters import tls_context
from pullkeeper.adapters.name_resolver import NameResolver
from pullkeeper.domain.iam.oidc_issuer import PublicKey, mismatch, read_discovery, read_keys
from pullkeeper.domain.proxy import proxy_for

TIMEOUT = 5.0
"""Seconds for both files together."""
MAX_LENGTH = 200_000
"""Bytes of one file; IAM takes at most 100 keys of each kind, of which the longest has under a thousand."""
_OK = 200
_SERVER_ERROR = 500
_TOO_MANY = 429
_PATH = "/.well-known/openid-configuration"


class UnreachableIssuerError(Exception):
    """The issuer cannot be reached from here, which says little of whether AWS can."""


class WrongIssuerError(Exception):
    """The issuer was reached, and what it serves is nothing that AWS could use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedKeys:
    """The key set of an issuer."""

    keys: AbstractSet[PublicKey]
    addresses: AbstractSet[str]
    """To which the issuer's name leads from here; none behind a proxy, which looks names up itself."""


async def fetch_keys(issuer: str) -> PublishedKeys:
    """Fetch the key set by way of the discovery document; raises UnreachableIssuerError and WrongIssuerError."""
    names = _Names(urlsplit(issuer).hostname)
    try:
        async with asyncio.timeout(TIMEOUT), _session(names) as http:
            discovery = read_discovery(await _fetch(http, f"{issuer.rstrip('/')}{_PATH}", "the discovery document"))
            if why := mismatch(issuer, discovery):
                raise WrongIssuerError(why)
            keys = read_keys(await _fetch(http, discovery.jwks_uri, "the key set"))
            return PublishedKeys(keys=keys, addresses=names.found)
    except (aiohttp.ClientError, OSError) as error:  # of which some are a ValueError too
        raise UnreachableIssuerError(_words(error)) from None
    except ValueError as error:
        raise WrongIssuerError(f"what it serves is not what it should be: {error}") from None


def _session(names: "_Names") -> aiohttp.ClientSession:
    # The system's CAs alone: AWS knows none that AWS_CA_BUNDLE names.
    connector = aiohttp.TCPConnector(ssl=tls_context.verifying(None), resolver=names)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )


async def _fetch(http: aiohttp.ClientSession, url: str, what: str) -> object:
    async with http.get(url, proxy=proxy_for(url, os.environ), allow_redirects=False) as response:
        if response.status >= _SERVER_ERROR or response.status == _TOO_MANY:
            raise UnreachableIssuerError(f"its server answers with status {response.status}")
        if response.status != _OK:
            raise WrongIssuerError(f"{what} is not there (status {response.status})")
        body = b""
        async for part in response.content.iter_chunked(8192):
            body += part
            if len(body) > MAX_LENGTH:
                raise WrongIssuerError(f"{what} is longer than {MAX_LENGTH:,} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise WrongIssuerError(f"{what} is no JSON") from None


def _words(error: aiohttp.ClientError | OSError) -> str:
    """Say what was in the way; the error's own text may quote a proxy's password."""
    match error:
        case TimeoutError():
            return f"there is no answer within {TIMEOUT:.0f} s"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refuses to connect there (status {error.status})"
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be looked up"
        case aiohttp.ClientSSLError():
            return "the certificate is not accepted here: AWS wants one of a public CA, for this name"
    return f"the connection fails ({type(error).__name__})"


class _Names(NameResolver):
    """Remembers where one name leads."""

    def __init__(self, host: str | None) -> None:
        super().__init__()
        self._host = host
        self.found: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name."""
        found = await super().resolve(host, port, family)
        if host == self._host:
            self.found |= {each["host"] for each in found}
        return found
