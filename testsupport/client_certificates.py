"""Certificates as cert-manager issues them: a CA, one below it, and files tls.crt and tls.key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from testsupport.certificate_authority import USAGE, usage
from testsupport.fake_aws import ACCOUNT, AwsFake

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
ANCHOR = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}:trust-anchor/11111111-1111-1111-1111-111111111111"
PROFILE = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}:profile/22222222-2222-2222-2222-222222222222"
SIGNS = usage(signs=True)
HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """A CA; `above` are the certificates between it and the root."""

    key: Key
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    def intermediate(
        self, name: str = "intermediate", *, key_usage: x509.KeyUsage = USAGE, path_length: int | None = None
    ) -> Authority:
        """Give a CA below this one."""
        key = ec.generate_private_key(ec.SECP384R1())
        certificate = _signed(name, key, self, ca=True, key_usage=key_usage, path_length=path_length)
        return Authority(key=key, certificate=certificate, above=(certificate, *self.above))

    def write(
        self,
        folder: Path,
        *,
        key: Key | ed25519.Ed25519PrivateKey | None = None,
        form: PrivateFormat = PrivateFormat.PKCS8,
        name: str = "pullkeeper",
        digest: str = "sha256",
        starts: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=90),
        key_usage: x509.KeyUsage | None = SIGNS,
        ca: bool | None = False,
        uri: str = "",
    ) -> None:
        """Write tls.crt and tls.key into the folder; without a key usage, or without basic constraints, for None."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        own = _signed(name, key, self, digest=digest, starts=starts, ends=ends, key_usage=key_usage, ca=ca, uri=uri)
        folder.mkdir(exist_ok=True)
        (folder / "tls.crt").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (own, *self.above)))
        (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))


def authority(name: str = "root") -> Authority:
    """Give a new root CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key=key, certificate=_signed(name, key, None, ca=True, key_usage=USAGE))


def anchor(aws: AwsFake, root: Authority, role: str, *, names: Sequence[str] = ("pullkeeper",)) -> None:
    """Make a trust anchor and a profile, and a role that trusts certificates of these names."""
    aws.allow_role(role, trusted_certificates=names)
    aws.roles_anywhere.anchors[ANCHOR] = root.certificate
    aws.roles_anywhere.profiles[PROFILE] = frozenset({role})


def settings(folder: Path, role: str) -> dict[str, str]:
    """Give the controller's settings of an identity whose files are in the folder."""
    return {
        "trustAnchorArn": ANCHOR,
        "profileArn": PROFILE,
        "roleArn": role,
        "certificateFile": str(folder / "tls.crt"),
        "keyFile": str(folder / "tls.key"),
    }


def _signed(
    name: str,
    key: Key | ed25519.Ed25519PrivateKey,
    issuer: Authority | None,
    *,
    key_usage: x509.KeyUsage | None,
    ca: bool | None = False,
    path_length: int | None = None,
    uri: str = "",
    digest: str = "sha256",
    starts: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=90),
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if key_usage:
        builder = builder.add_extension(key_usage, critical=True)
    if uri:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=not name
        )
    signer = issuer.key if issuer else key
    assert not isinstance(signer, ed25519.Ed25519PrivateKey)
    return builder.sign(signer, HASHES[digest])
