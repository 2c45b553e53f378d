"""One incoming API request: which service and operation, with what, signed by whom."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from testsupport.fake_aws.endpoints import Endpoint, endpoints
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

    def check_scope(self, endpoint: Endpoint) -> None:
        """Raise AwsError where the credential scope is not that of the endpoint and of the request's day."""
        if self.region != endpoint.region:
            message = f"Credential should be scoped to a valid region, not '{self.region}'. "
            raise wrong_scope(endpoint.service, message)
        if self.service != endpoint.service:
            message = f"Credential should be scoped to correct service: '{endpoint.service}'. "
            raise wrong_scope(endpoint.service, message)
        if self.date != self.request_date[:8]:
            message = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date."
            raise wrong_scope(endpoint.service, message)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRequest:
    """A request to ECR, ECR Public or STS. `signature` is None where it is not signed."""

    endpoint: Endpoint
    operation: str
    parameters: Mapping[str, object] = field(repr=False)
    signature: Signature | None

    @property
    def service(self) -> str:
        """The service whose host was asked."""
        return self.endpoint.service

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
    """Parse a POST to the root of an API; raises HTTPNotFound for no API's host, HTTPBadRequest for no request."""
    endpoint = endpoints().get(http.host.partition(":")[0])
    if endpoint is None:
        raise web.HTTPNotFound(text=f"{http.host} is no host of ECR, ECR Public or STS")
    operation, parameters = await (_read_query(http) if endpoint.service == "sts" else _read_json(http, endpoint))
    return ApiRequest(endpoint=endpoint, operation=operation, parameters=parameters, signature=_signature(http))


async def _read_json(http: web.Request, endpoint: Endpoint) -> tuple[str, Mapping[str, object]]:
    prefix, _, operation = http.headers.get("X-Amz-Target", "").partition(".")
    # Each service knows its own operations only, whatever another one calls the same.
    known = operation if _TARGETS.get(prefix) == endpoint.service else f"{prefix}.{operation}"
    return known, _json_object(await http.text())


async def _read_query(http: web.Request) -> tuple[str, Mapping[str, object]]:
    form = await http.post()
    parameters = {name: value for name, value in form.items() if isinstance(value, str)}
    return parameters.get("Action", ""), parameters


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
