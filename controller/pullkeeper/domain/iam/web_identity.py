"""What a projected ServiceAccount token says of itself: for people, never for a decision about access."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pullkeeper.domain.errors.text import listed, printable
from pullkeeper.domain.iam.oidc_issuer import is_internal
from pullkeeper.domain.iam.role_arn import RoleArn

MAX_TOKEN_LENGTH = 20_000
"""STS takes no longer one."""
USUAL_AUDIENCE = "sts.amazonaws.com"
AUDIENCE = re.compile(r"[A-Za-z0-9._~:/%@+=-]{1,255}")
"""IAM: a client ID of an OIDC provider has at most 255 characters; a policy would take ${...} for a variable."""
_PARTS = 3
_MAX_TEXT = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class WebIdentity:
    """Claims of a token; its signature is not verified."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires_at: datetime | None
    key_id: str
    """Of the key that it is signed with, "" if the token does not say it."""

    def __str__(self) -> str:
        until = f"{self.expires_at:%Y-%m-%d %H:%M:%SZ}" if self.expires_at else "no time"
        return f"issuer {self.issuer}, subject {self.subject}, audience {listed(self.audiences)}, valid until {until}"

    def provider_arn(self, role: RoleArn) -> str:
        """Return the ARN of the IAM OIDC provider that must exist so that the role can be taken with the token."""
        return provider_arn(self.issuer, role)

    def needs(self, role: RoleArn) -> str:
        """Return what must exist so that the role can be taken with the token."""
        public = " (its name looks internal: AWS has to reach it)" if is_internal(self.issuer) else ""
        provider = f"the IAM OIDC provider {self.provider_arn(role)} with that audience"
        return f"needs {provider}, a role that trusts that subject, and a public issuer{public}"

    def problem(self, now: datetime) -> tuple[str, str] | None:
        """Return what is wrong with the token whatever the account has, and the fix; None if nothing is."""
        if self.expires_at is None or not self.audiences:
            return "it is the endless token of a Secret", "mount a projected ServiceAccount token in its place"
        if self.expires_at <= now:
            return "it has expired", "see why the kubelet does not renew the file, and whether the clocks are right"
        if not self.issuer.startswith("https://"):
            fix = "let the API server issue tokens under a public URL (--service-account-issuer) that serves its keys"
            return "AWS cannot fetch the keys of its issuer", fix
        return None


def provider_arn(issuer: str, role: RoleArn) -> str:
    """Return the ARN of the OIDC provider of an issuer in the account of a role."""
    return f"arn:{role.partition}:iam::{role.account}:oidc-provider/{issuer.removeprefix('https://')}"


def decode(token: str) -> WebIdentity:
    """Read a token's claims; raises ValueError, which quotes nothing of it, for what is no token."""
    if not token.strip():
        raise ValueError("it is empty")
    parts = token.strip().split(".")
    if len(token) > MAX_TOKEN_LENGTH or len(parts) != _PARTS:
        raise ValueError("it is no JSON Web Token")
    header, claims = _object(parts[0]), _object(parts[1])
    audiences = claims.get("aud", ())
    return WebIdentity(
        issuer=_text(claims.get("iss")),
        subject=_text(claims.get("sub")),
        audiences=tuple(_text(each) for each in (audiences if isinstance(audiences, list) else [audiences]) if each),
        expires_at=_moment(claims.get("exp")),
        key_id=_text(header.get("kid", "")),
    )


def _object(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON Web Token")  # noqa: TRY004 -- one kind of error for whatever is wrong with it
    return found


def _text(value: object) -> str:
    return printable(str(value), _MAX_TEXT) if value is not None else "none"


def _moment(value: object) -> datetime | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None
