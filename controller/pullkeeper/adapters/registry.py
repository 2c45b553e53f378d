"""A probe of the registries' HTTP API that tells whether a token is accepted."""

import asyncio
import os
from collections.abc import Mapping

import aiohttp

from pullkeeper.adapters import tls_context
from pullkeeper.adapters.name_resolver import NameResolver
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.image_reference import ImageReference
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer, ManifestResult, manifest_result
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import API_VERSION, ProbeResult, Verdict, probe_result
from pullkeeper.domain.errors.validation import Problem, quoted
from pullkeeper.domain.proxy import proxy_for

_TIMEOUT = aiohttp.ClientTimeout(total=5, connect=3)
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
"""The media types that container runtimes accept."""
_MAX_CONCURRENT = 16
_MIN_INTERVAL = 0.2
"""Seconds between two requests to one registry."""


class RegistryProbe:
    """Probes registries, through the proxy that HTTPS_PROXY and NO_PROXY name."""

    def __init__(self, *, ca_file: str) -> None:
        """Trust the CAs in this file, or the system's for ""; raise OSError if it cannot be used."""
        try:
            self._tls = tls_context.verifying(ca_file or None)
        except OSError as error:
            raise _ca_file_error(ca_file, error) from None
        self._names = NameResolver()
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)
        self._free_at: dict[RegistryHost, float] = {}

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        """Try a token with `GET /v2/`. An error on the way is not a refusal: the verdict is then UNREACHABLE."""
        async with self._slots:
            await self._pace(host)
            try:
                return await self._request(host, auth)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # Only the type of the error is reported: its text may quote the request.
                return ProbeResult(verdict=Verdict.UNREACHABLE, why=type(error).__name__)

    async def ask_for_manifest(self, host: RegistryHost, auth: Password, image: ImageReference) -> ManifestResult:
        """Ask whether a token may have an image, which is not sent. An error on the way is no answer."""
        url = f"https://{host.name}/v2/{image.repository}/manifests/{image.reference}"
        try:
            status, from_registry = await self._ask("HEAD", url, auth, {"Accept": _MANIFESTS})
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return ManifestResult(answer=ManifestAnswer.UNKNOWN, why=type(error).__name__)
        return manifest_result(status, from_registry=from_registry)

    async def _request(self, host: RegistryHost, auth: Password) -> ProbeResult:
        status, from_registry = await self._ask("GET", f"https://{host.name}/v2/", auth, {})
        return probe_result(status, from_registry=from_registry)

    async def _ask(self, method: str, url: str, auth: Password, headers: Mapping[str, str]) -> tuple[int, bool]:
        """Return the status of a response, and whether it is from a registry."""
        sent = {**headers, "Authorization": f"Basic {auth.reveal()}"}
        # Not with aiohttp's `trust_env`, which also looks up a password in ~/.netrc and then refuses to send ours.
        proxy = proxy_for(url, os.environ)
        connector = aiohttp.TCPConnector(ssl=self._tls, resolver=self._names)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT) as http,
            # No redirects: the token is for this host alone. The body is not read.
            http.request(method, url, headers=sent, proxy=proxy, allow_redirects=False) as response,
        ):
            return response.status, API_VERSION in response.headers

    async def _pace(self, host: RegistryHost) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at.get(host, now))
        self._free_at = {each: free for each, free in self._free_at.items() if free > now} | {
            host: turn + _MIN_INTERVAL
        }
        await asyncio.sleep(turn - now)


def _ca_file_error(ca_file: str, error: OSError) -> OSError:
    found = f"{quoted(ca_file)} ({error.strerror or type(error).__name__})"
    return OSError(str(Problem(where="registryCaFile", found=found, expected="a file of CA certificates (PEM)")))
