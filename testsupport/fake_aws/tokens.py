"""ECR authorization tokens: made recognisable, remembered, revoked."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets as randomness
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from testsupport.fake_aws.records import IssuedToken, Principal

TOKEN_MARKER: Final = "PULLKEEPER-FAKE-TOKEN"
# Base64 of "AWS:" and this many characters is the 1,800 and some of a token of usual size.
_PASSWORD_LENGTH: Final = 1360


def principal_hash(identity: str) -> str:
    """Give the short name that stands in passwords for a role or user ARN."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


class TokenMint:
    """Issues tokens and knows which of them still open a registry."""

    def __init__(self, clock: Callable[[], datetime], secrets: set[str]) -> None:
        self._clock = clock
        self._secrets = secrets
        self._serials = itertools.count(1)
        self._tokens: dict[int, IssuedToken] = {}
        self._serial_of: dict[str, int] = {}

    def issue(self, principal: Principal, *, region: str, public: bool, life: timedelta) -> IssuedToken:
        """Give a new token; a life of less than nothing gives one that is expired already."""
        serial, now = next(self._serials), self._clock()
        password = _password(principal, region, serial, public=public)
        token = IssuedToken(
            serial=serial,
            password=password,
            authorization_token=_base64(f"AWS:{password}"),
            principal=principal.arn,
            role_arn=principal.role_arn,
            account=principal.account,
            region=region,
            public=public,
            issued_at=now,
            expires_at=now + life,
        )
        self._tokens[serial] = token
        self._serial_of |= {password: serial, token.authorization_token: serial}
        self._secrets |= {password, token.authorization_token, _base64(password)}
        return token

    def all(self) -> list[IssuedToken]:
        """Every token, in the order of issue."""
        return list(self._tokens.values())

    def find(self, secret: str) -> IssuedToken | None:
        """Give the token with this password or authorization token."""
        serial = self._serial_of.get(secret)
        return None if serial is None else self._tokens[serial]

    def revoke(self, serial: int) -> None:
        """Make registries refuse a token from now on; raises KeyError where there is none."""
        self._tokens[serial] = replace(self._tokens[serial], revoked=True)


def _password(principal: Principal, region: str, serial: int, *, public: bool) -> str:
    kind = "public" if public else "private"
    head = f"{TOKEN_MARKER}.{kind}.{region}.{principal_hash(principal.identity)}.{serial:06d}."
    return (head + randomness.token_urlsafe(_PASSWORD_LENGTH))[:_PASSWORD_LENGTH]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
