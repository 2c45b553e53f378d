"""What the fake remembers: principals, sessions, calls and tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

OK: Final = "ok"
PENDING: Final = "pending"
CLIENT_GONE: Final = "client gone"
CONNECTION_RESET: Final = "connection reset"
GARBAGE: Final = "garbage"
BROKEN: Final = "the fake broke"

API_SERVICES: Final = frozenset({"ecr", "ecr-public", "sts"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who calls: an IAM user, or a session of an IAM role."""

    arn: str
    account: str
    user_id: str
    role_arn: str | None = None

    @property
    def identity(self) -> str:
        """The IAM entity that permissions belong to: the role, or the user itself."""
        return self.role_arn or self.arn


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One set of credentials. Without a session token they are a user's static keys and never expire."""

    principal: Principal
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request that reached the fake, in the order of arrival.

    `outcome` is "ok", an AWS error code, "pending" (not answered yet), "garbage", "client gone" or
    "connection reset". `fault` names the fault that was played on it, if any (several: joined with "+").
    `role_arn` is the role behind the caller, `target_role` the one that AssumeRole* asked for.
    `host` is the host that was asked, of an API or of a registry; `region` is the host's.
    `registry_ids` is None when the request did not send the deprecated parameter.
    `token` is the serial of the ECR token that a registry was shown; None for none, or one that was never issued.
    `ended` is when its outcome was decided.
    """

    service: str
    operation: str
    time: datetime
    principal: str | None = None
    role_arn: str | None = None
    target_role: str | None = None
    account: str | None = None
    region: str | None = None
    host: str | None = None
    registry_ids: tuple[str, ...] | None = None
    token: int | None = None
    outcome: str = PENDING
    ended: datetime | None = None
    fault: str | None = None

    @property
    def faulted(self) -> bool:
        """Whether a fault was played on this call."""
        return self.fault is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """One ECR authorization token. `serial` counts from 1 in the order of issue."""

    serial: int
    password: str = field(repr=False)
    authorization_token: str = field(repr=False)
    principal: str
    role_arn: str | None
    account: str
    region: str
    public: bool
    issued_at: datetime
    expires_at: datetime
    revoked: bool = False

    def usable(self, now: datetime) -> bool:
        """Whether a registry still accepts it."""
        return not self.revoked and now < self.expires_at
