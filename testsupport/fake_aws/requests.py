"""One incoming API request: which service and operation, with what, signed by whom."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from testsupport.fake_aws.errors import wrong_scope

_TARGETS: Final = {"AmazonEC2ContainerRegistry_V20150921": "ecr", "SpencerFrontendService": "ecr-public"}
_CREDENTIAL: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[A-Z0-9]+)/(?P<date>\d{8})"
    r"/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """What a SigV4 Authorization header says about the caller. The signature itself is not verified."""

    access_key_id: str
    session_token: str | None = field(repr=False)
    date: str
    request_date: str
    region: str
    service: str

    def check_scope(self, service: str) -> None:
        """Raise AwsError where the credential scope is not this service's or not of the request's day."""
        if self.service != service:
            raise wrong_scope(service, f"Credential should be scoped to correct service: '{service}'.")
        if self.date != self.request_date[:8]:
            raise wrong_scope(
                service, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRequest:
    """A request to ECR, ECR Public or STS. `signature` is None where it is not signed."""

    service: str
    operation: str
    parameters: Mapping[str, object] = field(repr=False)
    signature: Signature | None

    def text(self, name: str) -> str | None:
        """Give a parameter that is a string, or None."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) else None

    @property
    def registry_ids(self) -> tuple[str, ...] | None:
        """The deprecated parameter of ecr:GetAuthorizationToken; None where it was not sent."""
        ids = self.parameters.get("registryIds")
        return tuple(str(each) for each in ids) if isinstance(ids, list) else None


async def read_request(http: web.Request) -> ApiRequest:
    """Parse a POST to the API root; raises HTTPBadRequest where it is no AWS request at all."""
    prefix, dot, operation = http.headers.get("X-Amz-Target", "").partition(".")
    if not dot:
        return await _read_query(http)
    if prefix not in _TARGETS:
        raise web.HTTPBadRequest(text=f"The fake does not know the target {prefix}")
    parameters = _json_object(await http.text())
    return ApiRequest(service=_TARGETS[prefix], operation=operation, parameters=parameters, signature=_signature(http))


async def _read_query(http: web.Request) -> ApiRequest:
    form = await http.post()
    parameters = {name: value for name, value in form.items() if isinstance(value, str)}
    operation = parameters.get("Action")
    if operation is None:
        raise web.HTTPBadRequest(text="Neither X-Amz-Target nor Action: not a request to ECR, ECR Public or STS")
    return ApiRequest(service="sts", operation=operation, parameters=parameters, signature=_signature(http))


def _json_object(text: str) -> Mapping[str, object]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="The body is not a JSON object")
    return body


def _signature(http: web.Request) -> Signature | None:
    match = _CREDENTIAL.fullmatch(http.headers.get("Authorization", ""))
    if match is None:
        return None
    return Signature(
        access_key_id=match["key"],
        session_token=http.headers.get("X-Amz-Security-Token"),
        date=match["date"],
        request_date=http.headers.get("X-Amz-Date", ""),
        region=match["region"],
        service=match["service"],
    )
