"""A throw-away CA, and one certificate from it that is good for every host of AWS."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from testsupport.certificate_authority import USAGE
from testsupport.fake_aws.endpoints import PUBLIC_HOSTS, endpoints, registry_domains


class Certificates:
    """What the servers of AWS' hosts need; `ca_file` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        authority = _signed("AWS' CA", self._key, self._key, _authority())
        self.ca_file = folder / "aws-ca.pem"
        self.ca_file.write_bytes(authority.public_bytes(Encoding.PEM))
        self.context = self._context(folder / "aws-server.pem")

    def _context(self, pem: Path) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in _names()])
        certificate = _signed("every host of AWS", key, self._key, [(names, False)])
        pem.touch(mode=0o600)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


def _names() -> Iterable[str]:
    return sorted({*endpoints(), *PUBLIC_HOSTS, *(f"*.{domain}" for domain in registry_domains())})


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now, public = datetime.now(UTC), key.public_key()
    # Python 3.13 refuses a chain in which the identifiers of the keys are missing.
    identifiers: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("AWS' CA"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
    )
    for extension, critical in (*extensions, *identifiers):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(authority, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority() -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.BasicConstraints(ca=True, path_length=0), True), (USAGE, True)]
