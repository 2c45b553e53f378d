"""Certificates as clusters have them: with the extensions of today, and without those that old tools left out."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from testsupport.certificate_authority import USAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a CA and the certificate that it signs have."""

    key_usage: bool = True
    """The CA says that it signs certificates; that of EKS clusters made before 1.16 and of MicroK8s does not."""
    identifiers: bool = True
    """The certificate names its CA's key (authority key identifier); those of old kubeadm do not."""


SHAPES = {
    "today's": Shape(),
    "CA without key usage": Shape(key_usage=False),
    "leaf without authority key identifier": Shape(identifiers=False),
    "neither": Shape(key_usage=False, identifiers=False),
}


class Authority:
    """A CA of one shape, and the server certificates that it signs for 127.0.0.1."""

    def __init__(self, folder: Path, shape: Shape | None = None, *, name: str = "ca") -> None:
        self._shape = shape or Shape()
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        if self._shape.key_usage:
            builder = builder.add_extension(USAGE, critical=True)
        if self._shape.identifiers:
            builder = builder.add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(self, *hosts: str) -> Path:
        """Write a new server certificate for these names (127.0.0.1 if none is given) and its key into one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(host) for host in hosts] if hosts else [x509.IPAddress(ip_address("127.0.0.1"))]
        builder = self._builder("server", key).add_extension(x509.SubjectAlternativeName(names), critical=False)
        if self._shape.identifiers:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self._folder / f"{self._name}-server.pem"
        path.touch(mode=0o600)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return path

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """Return the context of a server with a new certificate for these names, or for 127.0.0.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(*hosts))
        return context

    def _builder(self, subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=2))
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
