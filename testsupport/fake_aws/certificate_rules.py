"""What IAM Roles Anywhere asks of certificates, and the session tags that it makes of them.

Sources: "The IAM Roles Anywhere trust model" and "Certificate attribute mapping" in its User Guide; the characters of
tags: "Passing session tags in AWS STS" in the IAM User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

_STRONG: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_TAG: Final = re.compile(r"[\w\s.:/=+\-@]{0,256}")
_RDNS: Final = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
}


def untrusted(own: x509.Certificate, chain: Sequence[x509.Certificate], anchor: x509.Certificate, now: datetime) -> str:
    """Say why a certificate is not trusted, or nothing."""
    if not _may_sign(own):
        return "Insufficient certificate"
    certificates = (own, *chain, anchor)
    for depth, (current, issuer) in enumerate(zip(certificates, (*chain, anchor, anchor), strict=True)):
        if not current.not_valid_before_utc <= now < current.not_valid_after_utc:
            return "Certificate is expired or not yet valid"
        if not isinstance(current.signature_hash_algorithm, _STRONG):
            return "Insecure signature algorithm"
        if depth and not _may_issue(current, below=depth - 1):
            return "Insufficient certificate"
        if current is not anchor and not _is_issued_by(current, issuer):
            return "Insufficient certificate"
    return ""


def _may_sign(own: x509.Certificate) -> bool:
    constraints, usage = _constraints(own), _usage(own)
    return bool(constraints and not constraints.ca and usage and usage.digital_signature)


def _may_issue(issuer: x509.Certificate, *, below: int) -> bool:
    constraints, usage = _constraints(issuer), _usage(issuer)
    if not constraints or not constraints.ca or not usage or not usage.key_cert_sign:
        return False
    return constraints.path_length is None or below <= constraints.path_length


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def session_tags(certificate: x509.Certificate) -> Mapping[str, str]:
    """Return the tags that a profile's default mapping makes: subject, issuer and the first names of each kind."""
    return {
        **dict(_of_name("x509Subject", certificate.subject)),
        **dict(_of_name("x509Issuer", certificate.issuer)),
        **dict(_of_alternative_names(certificate)),
    }


def unmapped(tags: Mapping[str, str]) -> str:
    """Say which attributes cannot become session tags, as AWS does, or nothing."""
    wrong = [name for name, value in tags.items() if not _TAG.fullmatch(value)]
    if not wrong:
        return ""
    fields = {"Issuer": "x509Issuer/", "Subject": "x509Subject/", "SAN": "x509SAN/"}
    listed = (
        f"{title}: [ {', '.join(name.removeprefix(field) for name in wrong if name.startswith(field))} ]"
        for title, field in fields.items()
    )
    return f"Some attributes failed to be mapped into session tags. {'; '.join(listed)}"


def _of_name(field: str, name: x509.Name) -> Iterator[tuple[str, str]]:
    for oid, short in _RDNS.items():
        found = [str(each.value) for each in name.get_attributes_for_oid(oid)]
        for number, value in enumerate(found, 1):
            yield f"{field}/{short}" + (f"/{number}" if number > 1 else ""), value


def _of_alternative_names(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for kind, tag in ((x509.DNSName, "DNS"), (x509.UniformResourceIdentifier, "URI")):
        yield from ((f"x509SAN/{tag}", value) for value in names.get_values_for_type(kind)[:1])
    for directory in names.get_values_for_type(x509.DirectoryName)[:1]:
        yield from _of_name("x509SAN/Name", directory)
