"""Credentials from the surroundings: EC2 instance metadata (IMDSv2) and EKS Pod Identity."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from testsupport.fake_aws.arns import like
from testsupport.fake_aws.errors import AwsError, access_denied
from testsupport.fake_aws.iam import Directory, Role
from testsupport.fake_aws.oidc import Providers
from testsupport.fake_aws.records import Session
from testsupport.fake_aws.sessions import SessionStore
from testsupport.fake_aws.wire import utc_text

SESSION_LIFE: Final = timedelta(hours=6)
POD_IDENTITY_AUDIENCE: Final = "pods.eks.amazonaws.com"
_NODE_NAME: Final = "i-0123456789abcdef0"
_LONGEST_TTL: Final = 21600


@dataclass(frozen=True, kw_only=True, slots=True)
class Association:
    """A role for pods: of a fixed token, or of ServiceAccounts whose web identity tokens are verified."""

    role_arn: str
    token: str | None = field(default=None, repr=False)
    subject: str | None = None


@dataclass(kw_only=True, slots=True)
class Surroundings:
    """What runs beside the pod and hands out role sessions to whoever asks rightly."""

    directory: Directory
    sessions: SessionStore
    providers: Providers
    clock: Callable[[], datetime]
    secrets: set[str]
    node_role: str | None = None
    node_region: str = "eu-west-1"
    associations: list[Association] = field(default_factory=list)
    _tokens: dict[str, datetime] = field(default_factory=dict)

    def metadata_token(self, http: web.Request) -> web.Response:
        """PUT /latest/api/token."""
        ttl = http.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isdecimal() or not 1 <= int(ttl) <= _LONGEST_TTL:
            raise AwsError("Bad Request", 400, "the TTL is not within 1 to 21600 seconds")
        token = randomness.token_urlsafe(42)
        self._tokens[token] = self.clock() + timedelta(seconds=int(ttl))
        self.secrets.add(token)
        return web.Response(text=token, headers={"X-aws-ec2-metadata-token-ttl-seconds": ttl})

    def metadata(self, http: web.Request, life: timedelta | None) -> web.Response:
        """GET below /latest/meta-data/, with a token only (IMDSv2)."""
        expiry = self._tokens.get(http.headers.get("X-aws-ec2-metadata-token", ""))
        if expiry is None or expiry <= self.clock():
            raise AwsError("Unauthorized", 401, "no valid metadata token")
        path = http.match_info["path"].rstrip("/")
        if path == "placement/availability-zone":
            return web.Response(text=f"{self.node_region}a")
        if path == "placement/region":
            return web.Response(text=self.node_region)
        return self._instance_credentials(path, life)

    def _instance_credentials(self, path: str, life: timedelta | None) -> web.Response:
        folder, _, name = path.removeprefix("iam/").partition("/")
        role = self.directory.role(self.node_role)
        if folder != "security-credentials" or role is None or name not in {"", _name(role)}:
            raise AwsError("Not Found", 404, "no such metadata")
        if not name:
            return web.Response(text=_name(role))
        session = self.sessions.open(role.arn, role.role_id, _NODE_NAME, SESSION_LIFE if life is None else life)
        body = {"Code": "Success", "LastUpdated": utc_text(self.clock()), "Type": "AWS-HMAC"}
        return web.json_response({**body, **_credentials(session)})

    async def container_credentials(self, http: web.Request, life: timedelta | None) -> web.Response:
        """GET of the Pod Identity agent: the token in the Authorization header decides about the role."""
        role = self.directory.role(await self._associated(http.headers.get("Authorization", "")))
        if role is None:
            raise access_denied("container", "eks-auth:AssumeRoleForPodIdentity", None)
        session = self.sessions.open(role.arn, role.role_id, "eks-fake-pod", SESSION_LIFE if life is None else life)
        return web.json_response({**_credentials(session), "AccountId": session.principal.account})

    async def _associated(self, token: str) -> str | None:
        for each in self.associations:
            if each.token is not None and each.token == token:
                return each.role_arn
        wanted = [each for each in self.associations if each.subject is not None]
        if not wanted:
            return None
        identity = await self.providers.verify(token, frozenset({POD_IDENTITY_AUDIENCE}))
        return next((each.role_arn for each in wanted if like(each.subject or "", identity.subject)), None)


def _name(role: Role) -> str:
    return role.arn.rsplit("/", 1)[-1]


def _credentials(session: Session) -> dict[str, object]:
    if session.expires_at is None:
        raise ValueError("only role sessions are handed out")
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
        "Expiration": utc_text(session.expires_at),
    }
