"""IAM Roles Anywhere: CreateSession, with the signature, the certificate and its chain verified."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from testsupport.fake_aws import certificate_rules
from testsupport.fake_aws.arns import partition_of
from testsupport.fake_aws.endpoints import Endpoint, endpoints
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.iam import Directory, Role
from testsupport.fake_aws.sessions import SessionStore
from testsupport.fake_aws.wire import utc_text

_AUTHORIZATION: Final = re.compile(
    r"AWS4-X509-(?P<kind>RSA|ECDSA)-SHA256 Credential=(?P<serial>\d+)/"
    r"(?P<scope>\d{8}/[a-z0-9-]+/rolesanywhere/aws4_request),"
    r" SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]+)"
)
_REQUIRED: Final = frozenset({"host", "x-amz-date", "x-amz-x509"})
_MAX_CHAIN: Final = 5
_SKEW: Final = timedelta(minutes=5)
_SHORTEST, _LONGEST = 900, 43_200


@dataclass(kw_only=True)
class RolesAnywhere:
    """Trust anchors (with the certificates of their CAs) and profiles (with the ARNs of their roles)."""

    directory: Directory
    sessions: SessionStore
    clock: Callable[[], datetime]
    anchors: dict[str, x509.Certificate] = field(default_factory=dict)
    profiles: dict[str, frozenset[str]] = field(default_factory=dict)

    async def answer(self, http: web.Request, life: timedelta | None) -> web.Response:
        """Serve CreateSession; `life` overrides that of the credentials. Raises AwsError."""
        endpoint = endpoints()[http.host.partition(":")[0]]
        body = await http.read()
        own, chain = self._certificates(http)
        self._check_signature(http, body, own, endpoint)
        anchor = self._anchor(http.query.get("trustAnchorArn", ""), endpoint)
        if why := certificate_rules.untrusted(own, chain, anchor, self.clock()):
            raise _denied(f"Untrusted certificate. {why}")
        role = self._role(http.query, own)
        asked = _seconds(body)
        if asked > role.max_session.total_seconds():
            raise _denied("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        found = self.sessions.open(
            role.arn, role.role_id, f"{own.serial_number:040x}", life or timedelta(seconds=asked)
        )
        assert found.expires_at is not None
        credentials = {
            "accessKeyId": found.access_key_id,
            "secretAccessKey": found.secret_access_key,
            "sessionToken": found.session_token,
            "expiration": utc_text(found.expires_at),
        }
        subject = f"arn:{endpoint.partition}:rolesanywhere:{endpoint.region}:123456789012:subject/{uuid.uuid4()}"
        document = {"credentialSet": [{"credentials": credentials, "roleArn": role.arn}], "subjectArn": subject}
        return web.json_response(document, status=201)

    def _certificates(self, http: web.Request) -> tuple[x509.Certificate, Sequence[x509.Certificate]]:
        chain = [each for each in http.headers.get("X-Amz-X509-Chain", "").split(",") if each]
        try:
            own, *others = [_decode(each) for each in (http.headers.get("X-Amz-X509", ""), *chain)]
        except ValueError:
            raise AwsError("ValidationException", 400, "Unable to parse the certificate") from None
        if own.version is not x509.Version.v3 or len(others) > _MAX_CHAIN:
            raise AwsError("ValidationException", 400, "Certificate is not X.509v3, or the chain is too long")
        return own, others

    def _check_signature(self, http: web.Request, body: bytes, own: x509.Certificate, endpoint: Endpoint) -> None:
        found = _AUTHORIZATION.fullmatch(http.headers.get("Authorization", ""))
        sent_headers = {name.lower() for name in http.headers}
        # As in Signature V4: whatever AWS looks at is signed.
        required = _REQUIRED | {name for name in sent_headers if name.startswith("x-amz-") or name == "content-type"}
        names = found["names"].split(";") if found else []
        if found is None or names != sorted(set(names)) or not required <= set(names) <= sent_headers:
            raise _denied("Missing or incomplete signature")
        moment = http.headers.get("X-Amz-Date", "")
        scope = f"{moment[:8]}/{endpoint.region}/rolesanywhere/aws4_request"
        if found["scope"] != scope or found["serial"] != str(own.serial_number):
            raise _denied("Credential is not scoped correctly")
        sent = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=self.clock().tzinfo)
        if abs(self.clock() - sent) > _SKEW:
            raise _denied("Signature expired")
        path, _, query = http.raw_path.partition("?")
        lines = "".join(f"{name}:{' '.join(http.headers[name].split())}\n" for name in names)
        canonical = "&".join(sorted(query.split("&")))
        request = "\n".join(("POST", path, canonical, lines, found["names"], hashlib.sha256(body).hexdigest()))
        algorithm = f"AWS4-X509-{found['kind']}-SHA256"
        text = "\n".join((algorithm, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        if not _is_signed(own, found["kind"], bytes.fromhex(found["signature"]), text.encode()):
            raise _denied("Invalid signature")

    def _anchor(self, arn: str, endpoint: Endpoint) -> x509.Certificate:
        found = self.anchors.get(arn)
        if found is None or arn.split(":")[3] != endpoint.region or partition_of(arn) != endpoint.partition:
            raise AwsError("ResourceNotFoundException", 404, "Trust anchor not found")
        return found

    def _role(self, query: Mapping[str, str], own: x509.Certificate) -> Role:
        profile, arn = query.get("profileArn", ""), query.get("roleArn", "")
        if profile not in self.profiles:
            raise AwsError("ResourceNotFoundException", 404, "Profile not found")
        role = self.directory.role(arn)
        tags = certificate_rules.session_tags(own)
        trusted = role is not None and role.trusts_certificate(tags, query["trustAnchorArn"])
        if arn not in self.profiles[profile] or role is None or not trusted:
            raise _denied(f"Unable to assume role for {arn}")
        if why := certificate_rules.unmapped(tags):
            raise _denied(f"Unable to assume role for {arn}. {why}")
        return role


def refusal(error: AwsError) -> web.Response:
    """Give an error in the REST protocol: the code in a header."""
    body = json.dumps({"message": error.message})
    headers = {"x-amzn-ErrorType": error.code, "x-amzn-RequestId": str(uuid.uuid4())}
    return web.Response(body=body.encode(), status=error.status, content_type="application/json", headers=headers)


def _seconds(body: bytes) -> int:
    try:
        asked = json.loads(body)["durationSeconds"]
    except (ValueError, KeyError, TypeError):
        asked = 3600
    if not isinstance(asked, int) or not _SHORTEST <= asked <= _LONGEST:
        raise AwsError("ValidationException", 400, "Value at 'durationSeconds' failed to satisfy constraint")
    return asked


def _denied(message: str) -> AwsError:
    return AwsError("AccessDeniedException", 403, message)


def _decode(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))


def _is_signed(own: x509.Certificate, kind: str, signature: bytes, text: bytes) -> bool:
    key = own.public_key()
    try:
        if kind == "RSA" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
            return True
        if kind == "ECDSA" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
            return True
    except InvalidSignature:
        return False
    return False
