"""Who is asking: bearer tokens, the signing key, ServiceAccount JWTs."""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from testsupport.fake_kube.objects import Clock, Object, metadata
from testsupport.fake_kube.status import unauthorized
from testsupport.fake_kube.store import Store

ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who a request is from, as far as authorization asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = field(default_factory=dict, hash=False, compare=False)


ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
ADMIN = User(name="admin", uid="admin", groups=("system:masters", "system:authenticated"))


class Tokens:
    """Issues and checks tokens."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.admin_token = secrets.token_urlsafe(24)
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = base64url(hashlib.sha256(public).digest())
        self.subject_users: dict[str, User] = {self.admin_token: ADMIN}

    def issue(
        self, account: Object, *, lifetime: timedelta, audiences: Sequence[str] = (), bound_to: Object | None = None
    ) -> tuple[str, datetime]:
        """Sign a token for a ServiceAccount; give it and its expiry."""
        now = self._clock()
        expires = now + lifetime
        meta = metadata(account)
        claim: Object = {"namespace": meta["namespace"]}
        claim["serviceaccount"] = {"name": meta["name"], "uid": meta["uid"]}
        if bound_to:
            claim[bound_to["kind"].lower()] = {name: bound_to[name] for name in ("name", "uid") if name in bound_to}
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": int(expires.timestamp()),
            "iat": int(now.timestamp()),
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": claim,
            "nbf": int(now.timestamp()),
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self.key_id, "typ": None}), expires

    def authenticate(self, authorization: str | None) -> User:
        """Tell who an Authorization header proves; nobody without one, 401 for a bad one."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        return self.check(token.strip())

    def check(self, token: str, audiences: Sequence[str] = (ISSUER,)) -> User:
        """Tell whose token this is, or raise 401."""
        if token in self.subject_users:
            return self.subject_users[token]
        try:
            claims = self._claims(token, audiences)
            return self._account_user(claims)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise unauthorized() from None

    def _claims(self, token: str, audiences: Sequence[str]) -> dict[str, Any]:
        checks: jwt.types.Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims: dict[str, Any] = jwt.decode(
            token, self._key.public_key(), ["RS256"], audience=list(audiences), issuer=ISSUER, options=checks
        )
        now = self._clock().timestamp()
        if not claims["nbf"] <= now + 1 or now >= claims["exp"]:
            raise jwt.ExpiredSignatureError
        return claims

    def _account_user(self, claims: dict[str, Any]) -> User:
        claim = claims["kubernetes.io"]
        namespace, account = claim["namespace"], claim["serviceaccount"]
        live = self._store.get("serviceaccounts", namespace, account["name"])
        if live is None or metadata(live)["uid"] != account["uid"] or "deletionTimestamp" in metadata(live):
            raise unauthorized()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        return User(name=claims["sub"], uid=account["uid"], groups=groups, extra=extra)

    def jwks(self) -> Object:
        """Publish the key that checks the tokens."""
        numbers = self._key.public_key().public_numbers()
        key = {"use": "sig", "kty": "RSA", "kid": self.key_id, "alg": "RS256"}
        parts = {"n": _number(numbers.n), "e": _number(numbers.e)}
        return {"keys": [key | parts]}


def base64url(raw: bytes) -> str:
    """Encode as JOSE does: URL-safe, no padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
