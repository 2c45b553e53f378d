"""An OIDC issuer for tests: a key, its JWKS, and ServiceAccount tokens as Kubernetes makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from testsupport.fake_aws.fake import utcnow

ISSUER_URL: Final = "https://oidc.eks.eu-west-1.amazonaws.com/id/PULLKEEPERFAKE"


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self, url: str = ISSUER_URL, *, key_id: str = "key-1") -> None:
        self.url = url
        self.key_id = key_id
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> Mapping[str, Any]:
        """Give the public key as a key set."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

    def token(
        self,
        subject: str,
        *,
        audience: str | list[str] = "sts.amazonaws.com",
        now: datetime | None = None,
        life: timedelta = timedelta(hours=1),
    ) -> str:
        """Sign a token for a subject, such as system:serviceaccount:NAMESPACE:NAME."""
        start = now or utcnow()
        return self.sign(
            {
                "iss": self.url,
                "sub": subject,
                "aud": audience,
                "iat": int(start.timestamp()),
                "nbf": int(start.timestamp()),
                "exp": int((start + life).timestamp()),
            }
        )

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims at all."""
        return jwt.encode(dict(claims), self._key, algorithm="RS256", headers={"kid": self.key_id})
