"""IAM Roles Anywhere: what names an identity there, and the certificate that proves it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.role_arn import RoleArn

KEYS = ("trustAnchorArn", "profileArn", "roleArn", "certificateFile", "keyFile")
_LEFT, _SHARE = timedelta(days=10), 0.2
"""A certificate with so little left of its life, in time and as a share, should have been renewed: cert-manager does so
when a third is left."""
FORM = f"a mapping of {', '.join(KEYS)}"
# Its regions are those of API endpoints: at most 63 characters of a host's label.
_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):rolesanywhere:(?P<region>[a-z]{2,5}(?:-[a-z]{2,20})+-[0-9]{1,2}):[0-9]{12}:"
    r"(?P<kind>trust-anchor|profile)/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RolesAnywhere:
    """An identity of IAM Roles Anywhere, and the files that prove it."""

    trust_anchor: str
    profile: str
    role: RoleArn
    region: str
    """Region of the trust anchor, which is the only one that knows it."""
    certificate_file: str
    """PEM: the certificate, followed by those of the CAs between it and the trust anchor."""
    key_file: str

    def environment(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """Return the environment as if it named this role, and the trust anchor's region unless it names another."""
        regions = {} if given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") else {"AWS_REGION": self.region}
        return {**given, **regions, "AWS_ROLE_ARN": self.role.text}


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateInfo:
    """What a certificate says of itself."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    uri: str = ""
    """Its first alternative name of that kind: a SPIFFE ID, where it is an X.509-SVID."""

    def is_ending(self, now: datetime) -> bool:
        """Whether it should have been renewed by now."""
        return self.not_after - now < min(_LEFT, _SHARE * (self.not_after - self.not_before))

    def __str__(self) -> str:
        names = ", ".join(filter(None, (self.subject, self.uri))) or "without a subject"
        return f"{names}, issued by {self.issuer}, valid until {self.not_after:%FT%TZ}"


def parse(given: Mapping[Any, object]) -> RolesAnywhere:
    """Parse the settings of an identity; raises ValueError with what is expected of which key."""
    if set(given) != set(KEYS):
        raise ValueError(FORM)
    anchor = _parse_arn("trustAnchorArn", given["trustAnchorArn"], "trust-anchor")
    profile = _parse_arn("profileArn", given["profileArn"], "profile")
    role = _parse_role(given["roleArn"])
    if (profile["partition"], profile["region"]) != (anchor["partition"], anchor["region"]):
        raise ValueError(f"profileArn: a profile in the trust anchor's region {anchor['region']}")
    if role.partition != anchor["partition"]:
        raise ValueError(f"roleArn: a role of the trust anchor's partition {anchor['partition']}")
    return RolesAnywhere(
        trust_anchor=anchor.string,
        profile=profile.string,
        role=role,
        region=anchor["region"],
        certificate_file=_parse_file("certificateFile", given["certificateFile"]),
        key_file=_parse_file("keyFile", given["keyFile"]),
    )


def _parse_arn(key: str, value: object, kind: str) -> re.Match[str]:
    match = _ARN.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["kind"] != kind:
        raise ValueError(f'{key}: "arn:PARTITION:rolesanywhere:REGION:ACCOUNT:{kind}/UUID"')
    return match


def _parse_role(value: object) -> RoleArn:
    try:
        return role_arn.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"roleArn: {error}") from None


def _parse_file(key: str, value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError(f"{key}: the path of a PEM file")
