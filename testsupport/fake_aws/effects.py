"""What a fault does to the call that it hits."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from aiohttp import web

from testsupport.fake_aws.errors import AwsError, access_denied, throttled
from testsupport.fake_aws.records import Call
from testsupport.fake_aws.wire import json_answer, xml_answer

_HTML: Final = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_CUT_OFF: Final = {"sts": b"<AssumeRoleResponse><AssumeRole"}


class Garbage(StrEnum):
    """The ways in which an answer can be rubbish."""

    INVALID_BODY = "invalid-body"
    """A success whose JSON or XML breaks off."""
    EMPTY_BODY = "empty-body"
    """A success without a body."""
    MISSING_FIELDS = "missing-fields"
    """A valid envelope in which what matters is absent."""
    NO_DATA = "no-data"
    """ECR: a valid answer whose authorizationData is empty."""
    TOKEN_NOT_BASE64 = "token-not-base64"
    """ECR: an authorizationToken that does not decode."""
    TOKEN_WITHOUT_COLON = "token-without-colon"
    """ECR: an authorizationToken that decodes, but not to user:password."""
    HTML_PAGE = "html-page"
    """An HTML page, as a proxy on the way would send."""


TOKEN_GARBAGE: Final = frozenset({Garbage.NO_DATA, Garbage.TOKEN_NOT_BASE64, Garbage.TOKEN_WITHOUT_COLON})


@dataclass(frozen=True, kw_only=True, slots=True)
class Deny:
    """AccessDenied, in the words that AWS has for this caller and operation."""

    def error(self, call: Call) -> AwsError:
        """Give the error for this call."""
        return access_denied(call.service, f"{call.service}:{call.operation}", call.principal, call.target_role or "*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttle:
    """Too many requests. Without a code: the one of the service."""

    code: str | None = None
    status: int | None = None

    def error(self, call: Call) -> AwsError:
        """Give the error for this call."""
        return throttled(call.service, self.code, self.status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fail:
    """Any error at all."""

    code: str
    status: int
    message: str

    def error(self, call: Call) -> AwsError:  # noqa: ARG002 -- same for all calls
        """Give the error for this call."""
        return AwsError(self.code, self.status, self.message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """No answer for some time, or (None) until the fault is cleared. Then the call goes on."""

    seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reset:
    """The connection breaks off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """What is issued lives this long; less than nothing is expired on arrival."""

    life: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Drip:
    """The right answer, of which the body comes byte by byte; what is left comes when the fault is cleared."""

    seconds: float
    """Between two bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Garble:
    """Rubbish in place of the answer."""

    kind: Garbage
    status: int

    def answer(self, call: Call, now: datetime) -> web.Response:
        """Give the rubbish for this call."""
        if self.kind is Garbage.HTML_PAGE:
            return web.Response(text=_HTML, content_type="text/html", status=self.status)
        if self.kind is Garbage.EMPTY_BODY:
            return web.Response(status=self.status)
        if self.kind is Garbage.INVALID_BODY:
            body = _CUT_OFF.get(call.service, b'{"authorizationData": [{"authoriz')
            return web.Response(body=body, status=self.status)
        return self._incomplete(call, now)

    def _incomplete(self, call: Call, now: datetime) -> web.Response:
        if call.service == "sts":
            return xml_answer(call.operation, {})
        if self.kind is Garbage.NO_DATA:
            return json_answer({"authorizationData": []} if call.service == "ecr" else {})
        data = self._data(now)
        return json_answer({"authorizationData": data if call.service == "ecr-public" else [data]})

    def _data(self, now: datetime) -> Mapping[str, object]:
        expires_at = (now + timedelta(hours=12)).timestamp()
        if self.kind is Garbage.TOKEN_NOT_BASE64:
            return {"authorizationToken": "%% this is not base64 %%", "expiresAt": expires_at}
        if self.kind is Garbage.TOKEN_WITHOUT_COLON:
            return {
                "authorizationToken": base64.b64encode(b"AWS without a colon").decode(),
                "expiresAt": expires_at,
            }
        return {}


Refusal = Deny | Throttle | Fail
Effect = Refusal | Wait | Reset | Life | Drip | Garble
