"""ECR and ECR Public: GetAuthorizationToken, and the registries' answer to a login."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web

from testsupport.fake_aws.endpoints import Endpoint, registry_host
from testsupport.fake_aws.errors import invalid_parameter, unknown_credentials, unknown_operation, unsupported_command
from testsupport.fake_aws.iam import Directory
from testsupport.fake_aws.records import IssuedToken, Session
from testsupport.fake_aws.requests import ApiRequest
from testsupport.fake_aws.sessions import SessionStore
from testsupport.fake_aws.tokens import TokenMint
from testsupport.fake_aws.wire import json_answer

PUBLIC_REGION: Final = "us-east-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ecr:
    """The token operation of both services."""

    directory: Directory
    sessions: SessionStore
    mint: TokenMint
    disabled_regions: set[str]

    def answer(self, request: ApiRequest, life: timedelta) -> web.Response:
        """Serve one request with a token of this life; raises AwsError."""
        caller, endpoint = self._caller(request), request.endpoint
        if request.operation != "GetAuthorizationToken":
            raise unknown_operation(endpoint.service, request.operation)
        self.directory.require(caller.principal, endpoint.service, endpoint.region)
        if endpoint.service == "ecr-public":
            return self._public(caller, endpoint, life)
        return self._private(caller, endpoint.region, life, _checked(request.registry_ids))

    def _caller(self, request: ApiRequest) -> Session:
        caller = self.sessions.authenticate(request.endpoint, request.signature)
        if request.endpoint.region in self.disabled_regions:
            # To a region that an account has not enabled its credentials are unknown.
            raise unknown_credentials(request.service)
        return caller

    def _private(
        self, caller: Session, region: str, life: timedelta, registry_ids: tuple[str, ...] | None
    ) -> web.Response:
        token = self.mint.issue(caller.principal, region=region, public=False, life=life)
        accounts = registry_ids or (caller.principal.account,)
        data = [_data(token) | {"proxyEndpoint": f"https://{registry_host(each, region)}"} for each in accounts]
        return json_answer({"authorizationData": data})

    def _public(self, caller: Session, endpoint: Endpoint, life: timedelta) -> web.Response:
        if endpoint.region != PUBLIC_REGION:
            raise unsupported_command()
        token = self.mint.issue(caller.principal, region=PUBLIC_REGION, public=True, life=life)
        return json_answer({"authorizationData": _data(token)})


def _data(token: IssuedToken) -> dict[str, object]:
    return {
        "authorizationToken": token.authorization_token,
        "expiresAt": round(token.expires_at.timestamp(), 3),
    }


def _checked(registry_ids: tuple[str, ...] | None) -> tuple[str, ...] | None:
    for each in registry_ids or ():
        if re.fullmatch(r"\d{12}", each, re.ASCII) is None:
            raise invalid_parameter(
                "Invalid parameter at 'registryIds' failed to satisfy constraint: "
                "'Member must satisfy constraint: "
                "[Member must satisfy regular expression pattern: [0-9]{12}]'"
            )
    return registry_ids
