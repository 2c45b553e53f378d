"""The certificate and the private key with which the controller signs at IAM Roles Anywhere."""

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pullkeeper.adapters.aws.client_certificate_errors import (
    ClientCertificateError,
    ClientCertificateExpiredError,
    ClientCertificateMismatchError,
    ClientCertificateNotYetValidError,
    ClientCertificateUnreadableError,
    ClientCertificateUnsuitableError,
    ClientKeyUnsupportedError,
)
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.iam.roles_anywhere import CertificateInfo

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_MAX_FILE_SIZE = 65_536
_MAX_NAME = 200
_PAUSES = (0.0, 0.1, 0.3, 0.6)
"""Seconds between attempts to read what may be replaced just now."""
_MIN_RSA_BITS = 2048
MAX_CHAIN = 5
"""Certificates between this one and the trust anchor that Roles Anywhere accepts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCertificate:
    """A certificate with its key, ready to sign."""

    info: CertificateInfo
    serial: str
    """Serial number in decimal."""
    encoded: str
    """The certificate in DER, base64."""
    chain: str
    """Those of the CAs between it and the trust anchor, in the same form, with commas."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """Name of the signature, which follows from the key: how the certificate itself was signed does not matter."""
        return f"AWS4-X509-{'RSA' if isinstance(self.key, rsa.RSAPrivateKey) else 'ECDSA'}-SHA256"

    def sign(self, text: bytes) -> str:
        """Return the signature of a text, in hexadecimal digits."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256()).hex()
        return self.key.sign(text, ec.ECDSA(hashes.SHA256())).hex()

    def check_time(self, now: datetime) -> None:
        """Raise ClientCertificateError unless the certificate is valid now."""
        if now >= self.info.not_after:
            raise ClientCertificateExpiredError(f"{self.info}")
        if now < self.info.not_before:
            raise ClientCertificateNotYetValidError(f"{self.info}, from {self.info.not_before:%FT%TZ} on")


def read(certificate_file: str, key_file: str) -> ClientCertificate:
    """Read both files; raise ClientCertificateError. It may take a second.

    The kubelet replaces both at once, but not while they are read; other programs empty and write one after the other
    (spiffe-helper does). So files that are no pair, or that hold nothing yet, are read again.
    """
    for pause in _PAUSES:
        try:
            return _read(certificate_file, key_file)
        except (ClientCertificateMismatchError, ClientCertificateUnreadableError):
            time.sleep(pause)
    return _read(certificate_file, key_file)


def _read(certificate_file: str, key_file: str) -> ClientCertificate:
    certificates = _certificates(certificate_file)
    key = _key(key_file)
    own, others = certificates[0], certificates[1:]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise ClientCertificateMismatchError(f"{_name(key_file)} is not the key of {_name(certificate_file)}")
    return ClientCertificate(
        info=_info(own),
        serial=str(own.serial_number),
        encoded=_encode(own),
        # The root is the trust anchor's own.
        chain=",".join(_encode(each) for each in others if each.subject != each.issuer),
        key=key,
    )


def read_info(certificate_file: str) -> CertificateInfo:
    """Return what the certificate says of itself; raise ClientCertificateError."""
    return _info(_certificates(certificate_file)[0])


def read_info_if_possible(certificate_file: str) -> CertificateInfo | None:
    """Return what the certificate says of itself, None if it cannot be read."""
    try:
        return read_info(certificate_file)
    except ClientCertificateError:
        return None


def _certificates(file: str) -> Sequence[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(_content(file))
        _info(found[0])
        unsuitable = _unsuitable(found[0])
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        raise ClientCertificateUnreadableError(f"{_name(file)} holds no certificate in PEM form") from None
    if unsuitable:
        raise ClientCertificateUnsuitableError(f"{_name(file)} {unsuitable}")
    if len(found) > MAX_CHAIN + 1:
        raise ClientCertificateUnreadableError(
            f"{_name(file)} holds {len(found)} certificates: {MAX_CHAIN + 1} at most"
        )
    return found


def _unsuitable(certificate: x509.Certificate) -> str:
    """Say what Roles Anywhere misses in a certificate (its User Guide: trust model), or nothing."""
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is None:
        return "has no basic constraints"
    if constraints.ca:
        return "is the certificate of a CA"
    if usage is None or not usage.digital_signature:
        return "has no key usage digital signature"
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        return f"is signed with {certificate.signature_hash_algorithm.name}"
    return ""


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key(file: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        found = load_pem_private_key(_content(file), password=None)
    except TypeError:
        raise ClientCertificateUnreadableError(f"{_name(file)} is encrypted, and nobody has its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ClientCertificateUnreadableError(f"{_name(file)} holds no private key in PEM form") from None
    if isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, ec.SECP256R1 | ec.SECP384R1):
        return found
    if isinstance(found, rsa.RSAPrivateKey) and found.key_size >= _MIN_RSA_BITS:
        return found
    raise ClientKeyUnsupportedError(f"the key in {_name(file)} is of another kind or shorter")


def _content(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path of a file"
        raise ClientCertificateUnreadableError(f"{_name(file)}: {why}") from None
    if len(content) > _MAX_FILE_SIZE:
        raise ClientCertificateUnreadableError(f"{_name(file)} is larger than {_MAX_FILE_SIZE // 1024} KiB")
    return content


def _info(certificate: x509.Certificate) -> CertificateInfo:
    return CertificateInfo(
        subject=printable(certificate.subject.rfc4514_string(), _MAX_NAME),
        issuer=printable(certificate.issuer.rfc4514_string(), _MAX_NAME),
        not_before=certificate.not_valid_before_utc.astimezone(UTC),
        not_after=certificate.not_valid_after_utc.astimezone(UTC),
        uri=printable(_uri(certificate), _MAX_NAME),
    )


def _uri(certificate: x509.Certificate) -> str:
    names = _extension(certificate, x509.SubjectAlternativeName)
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "") if names else ""


def _encode(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _name(file: str) -> str:
    return printable(file, _MAX_NAME)
