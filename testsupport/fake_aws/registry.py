"""The registries' HTTP API, as far as a login goes, GET /v2/, and whether a pull is allowed.

No repository has content: whoever may pull from it is answered that there is no such image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web

from testsupport.fake_aws.endpoints import PUBLIC_HOSTS, registry_region
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.iam import Directory
from testsupport.fake_aws.records import IssuedToken, Principal
from testsupport.fake_aws.tokens import TokenMint

ELSEWHERE: Final = "public.ecr.aws"
"""Where a registry sends those whom it was told to redirect."""
_ACTIONS: Final = {
    ("GET", "manifests"): "ecr:BatchGetImage",
    ("HEAD", "manifests"): "ecr:BatchGetImage",
    ("GET", "blobs"): "ecr:GetDownloadUrlForLayer",
    ("HEAD", "blobs"): "ecr:BatchCheckLayerAvailability",
}
_API_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}


def host_of(http: web.Request) -> str:
    """Give the registry that is meant: the one in the path, or else the one in the Host header."""
    return http.match_info.get("host") or http.host.partition(":")[0]


def fits(token: IssuedToken, host: str) -> bool:
    """Whether a token was issued for a registry."""
    return token.public if host in PUBLIC_HOSTS else token.region == registry_region(host) and not token.public


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Accepts the tokens that were issued for the region of the host."""

    mint: TokenMint
    directory: Directory
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
        token = self._accepted(host, http)
        if token is None:
            raise AwsError("UNAUTHORIZED", 401, "Not Authorized")
        if kind := http.match_info.get("kind"):
            self._check_pull(host, token, _ACTIONS[http.method, kind], http.match_info["repository"])
            raise AwsError("NAME_UNKNOWN", 404, "There is no such image")
        return web.json_response({}, headers=_API_VERSION)

    def _check_pull(self, host: str, token: IssuedToken, action: str, repository: str) -> None:
        if host in PUBLIC_HOSTS:
            return
        who = Principal(arn=token.principal, account=token.account, user_id="", role_arn=token.role_arn)
        where = {"account": host[:12], "region": registry_region(host) or "", "repository": repository}
        if not self.directory.may_pull(who, action, **where):
            raise AwsError("DENIED", 403, f"User: {who.arn} is not authorized to perform: {action}")

    def shown(self, http: web.Request) -> IssuedToken | None:
        """Give the token in the Basic authorization of a request."""
        scheme, _, secret = http.headers.get("Authorization", "").partition(" ")
        token = self.mint.find(secret.strip()) if scheme.lower() == "basic" else None
        return token if token and token.authorization_token == secret.strip() else None

    def _accepted(self, host: str, http: web.Request) -> IssuedToken | None:
        token = self.shown(http)
        return token if token and token.usable(self.clock()) and fits(token, host) else None


def refusal(http: web.Request, error: AwsError) -> web.Response:
    """Give an error in the registry's form."""
    headers = dict(_API_VERSION)
    if error.status == 401:
        headers["Www-Authenticate"] = f'Basic realm="https://{host_of(http)}/",service="ecr.amazonaws.com"'
    if 300 <= error.status < 400:
        headers["Location"] = f"https://{ELSEWHERE}/v2/"
    return web.Response(text=f"{error.message}\n", status=error.status, headers=headers)
