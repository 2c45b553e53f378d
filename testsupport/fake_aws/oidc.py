"""OIDC providers: whose web identity tokens are believed, and the verification of one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp
import jwt
from jwt.types import Options

from testsupport.fake_aws.errors import AwsError, invalid_identity_token
from testsupport.waiting import HANG_GUARD

Jwks = Mapping[str, Any]

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
# Signature only: PyJWT would compare times with the machine's clock, the fake has its own.
_SIGNATURE_ONLY: Final[Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}
_NOT_A_JWT: Final = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_NO_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider, "
    "please reference AssumeRoleWithWebIdentity documentation for requirements"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class JwksUrl:
    """Where keys are fetched at every verification; `ca_file` is PEM, `headers` may carry a login."""

    url: str
    ca_file: str | None = None
    headers: Mapping[str, str] | None = None

    async def fetch(self) -> Jwks:
        """GET the key set; raises aiohttp.ClientError, OSError or ValueError."""
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        timeout = aiohttp.ClientTimeout(total=HANG_GUARD)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=self.headers) as session,
            session.get(self.url, ssl=context, raise_for_status=True) as response,
        ):
            body: Jwks = await response.json(content_type=None)
            return body


JwksSource = Jwks | Callable[[], Jwks] | JwksUrl


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """An IAM OIDC provider: an issuer, its keys and the audiences (client ids) registered for it."""

    issuer: str
    jwks: JwksSource
    audiences: frozenset[str]

    async def keys(self) -> Jwks:
        """Give the key set as it is now; raises IDPCommunicationError where it cannot be had."""
        try:
            if isinstance(self.jwks, JwksUrl):
                return await self.jwks.fetch()
            if callable(self.jwks):
                # Somebody else's function may block; the others' requests must not wait for it.
                return await asyncio.to_thread(self.jwks)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"An error occurred while retrieving the keys of {self.issuer}: {type(error).__name__}"
            raise AwsError("IDPCommunicationError", 400, message) from error
        return self.jwks


@dataclass(frozen=True, kw_only=True, slots=True)
class WebIdentity:
    """The verified claims that trust policies look at."""

    issuer: str
    audience: str
    subject: str


class Providers:
    """The OIDC providers of the accounts, by issuer."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._providers: dict[str, Provider] = {}

    def put(self, provider: Provider) -> None:
        """Register a provider, or replace its keys and audiences."""
        self._providers[provider.issuer] = provider

    def remove(self, issuer: str) -> None:
        """Delete a provider."""
        self._providers.pop(issuer, None)

    async def verify(self, token: str, audiences: frozenset[str] | None = None) -> WebIdentity:
        """Check issuer, signature, times and audience; raises AwsError with STS' code.

        `audiences` stands in for those that the provider was registered with.
        """
        claims = _claims(token, verified_by=None)
        provider = self._provider(claims.get("iss"))
        claims = _claims(token, verified_by=_key(token, await provider.keys()))
        self._check_times(claims)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise invalid_identity_token("Missing a required claim: sub")
        return WebIdentity(
            issuer=provider.issuer,
            audience=_audience(claims, audiences or provider.audiences),
            subject=subject,
        )

    def _provider(self, issuer: object) -> Provider:
        provider = self._providers.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise invalid_identity_token(f"No OpenIDConnect provider found in your account for {issuer}")
        return provider

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = int(self._clock().timestamp())
        if "exp" not in claims:
            raise invalid_identity_token("Missing a required claim: exp")
        expiry = _number(claims["exp"])
        if expiry <= now:
            message = f"Token expired: current date/time {now} must be before the expiration date/time {expiry:.0f}"
            raise AwsError("ExpiredTokenException", 400, message)
        if any(_number(claims.get(name, now)) > now + 60 for name in ("nbf", "iat")):
            raise invalid_identity_token("The web identity token is not valid yet")


def _claims(token: str, *, verified_by: jwt.PyJWK | None) -> Mapping[str, Any]:
    options: Options = {**_SIGNATURE_ONLY, "verify_signature": verified_by is not None}
    try:
        claims: Mapping[str, Any] = jwt.decode(token, verified_by or "", algorithms=_ALGORITHMS, options=options)
    except jwt.InvalidSignatureError:
        raise invalid_identity_token("The signature of the web identity token is not valid") from None
    except jwt.PyJWTError:
        raise invalid_identity_token(_NOT_A_JWT) from None
    return claims


def _number(value: object) -> float:
    if not isinstance(value, (int, float)):
        raise invalid_identity_token(_NOT_A_JWT)
    return value


def _key(token: str, jwks: Jwks) -> jwt.PyJWK:
    wanted = jwt.get_unverified_header(token).get("kid")
    try:
        keys = jwt.PyJWKSet.from_dict(dict(jwks)).keys
    except jwt.PyJWTError:
        keys = []
    for key in keys:
        if wanted in {None, key.key_id}:
            return key
    raise invalid_identity_token(_NO_KEY)


def _audience(claims: Mapping[str, Any], accepted: frozenset[str]) -> str:
    stated = claims.get("aud")
    for audience in stated if isinstance(stated, list) else [stated]:
        if isinstance(audience, str) and audience in accepted:
            return audience
    raise invalid_identity_token("Incorrect token audience")
