"""The registries' HTTP API, as far as a login goes: GET /v2/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web

from testsupport.fake_aws.endpoints import PUBLIC_HOSTS, registry_region
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.tokens import TokenMint

ELSEWHERE: Final = "public.ecr.aws"
"""Where a registry sends those whom it was told to redirect."""
_API_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}


def host_of(http: web.Request) -> str:
    """Give the registry that is meant: the one in the path, or else the one in the Host header."""
    return http.match_info.get("host") or http.host.partition(":")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Accepts the tokens that were issued for the region of the host."""

    mint: TokenMint
    clock: Callable[[], datetime]
    refusing: dict[str, int] = field(default_factory=dict)
    """Registries that take no token at all, and the status that they say it with."""

    def answer(self, http: web.Request) -> web.Response:
        """200 or 401, or as it was told; 404 where the host is no registry."""
        host = host_of(http)
        if registry_region(host) is None and host not in PUBLIC_HOSTS:
            raise AwsError("NAME_UNKNOWN", 404, f"{host} is not a registry")
        if host in self.refusing:
            raise AwsError("DENIED", self.refusing[host], "Your authorization token is invalid")
        if not self._accepts(host, http.headers.get("Authorization", "")):
            raise AwsError("UNAUTHORIZED", 401, "Not Authorized")
        return web.json_response({}, headers=_API_VERSION)

    def _accepts(self, host: str, authorization: str) -> bool:
        scheme, _, secret = authorization.partition(" ")
        token = self.mint.find(secret.strip()) if scheme.lower() == "basic" else None
        if token is None or token.authorization_token != secret.strip() or not token.usable(self.clock()):
            return False
        return token.public if host in PUBLIC_HOSTS else token.region == registry_region(host) and not token.public


def refusal(http: web.Request, error: AwsError) -> web.Response:
    """Give an error in the registry's form."""
    headers = dict(_API_VERSION)
    if error.status == 401:
        headers["Www-Authenticate"] = f'Basic realm="https://{host_of(http)}/",service="ecr.amazonaws.com"'
    if 300 <= error.status < 400:
        headers["Location"] = f"https://{ELSEWHERE}/v2/"
    return web.Response(text=f"{error.message}\n", status=error.status, headers=headers)
