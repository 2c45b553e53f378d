"""An Ecr against the fake of AWS with roles and ServiceAccounts, and a clock that a test advances."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

import pytest

from pullkeeper.adapters.aws import Ecr, credentials
from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from testsupport.examples import demand
from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, IssuedToken, serve_in_thread, utcnow
from testsupport.fake_aws.issuer import Issuer

BLUE = f"arn:aws:iam::{ACCOUNT}:role/team/blue"
OWN = "arn:aws:iam::210987654321:role/own"
SUBJECT = "system:serviceaccount:team-a:puller"


@cache
def issuer() -> Issuer:
    """Return the one issuer of all tests: creating its key is slow."""
    return Issuer()


class Clock:
    """The clock of the controller and of AWS, which a test advances."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utcnow() + self.ahead


@dataclass(kw_only=True)
class FetchRecorder:
    """The reason of each fetch, None for success."""

    reasons: list[str | None] = field(default_factory=list)

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:  # noqa: ARG002 -- as the source has it
        self.reasons.append(reason)

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Ignore it."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Ignore it."""


class IdentityHarness:
    """An Ecr, its environment, and the fake of AWS behind it."""

    def __init__(self, aws: AwsFake, clock: Clock, patch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.clock = clock
        self.metrics = FetchRecorder()
        self.issuer = issuer()
        self.web_token: str | None = None
        self.web_calls = 0
        self._patch = patch
        for name in ("_MIN_REMEMBERED", "_MAX_REMEMBERED"):
            patch.setattr(credentials, name, 0.0)
        self.configure(aws.environment())

    def configure(self, environment: Mapping[str, str], *, allow_node_instance_role: bool = False) -> None:
        """Create the Ecr anew in an environment with exactly these variables of AWS."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self._patch.delenv(name)
        for name, value in environment.items():
            self._patch.setenv(name, value)
        self.ecr = Ecr(
            environment=environment,
            registries=(),
            allow_node_instance_role=allow_node_instance_role,
            clock=self.clock,
            metrics=self.metrics,
            service_account_token=self._service_account_token,
        )

    def environ(self, name: str, value: str) -> None:
        """Set another variable of the process."""
        self._patch.setenv(name, value)

    def forget_names(self) -> None:
        """Let no name be resolved, as on a node without DNS."""

        def fail(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self._patch.setattr(socket, "getaddrinfo", fail)

    async def _service_account_token(self, identity: Identity) -> str:
        self.web_calls += 1
        return self.web_token or self.issuer.token(str(identity), now=self.clock())

    async def fetch(
        self, identity: Identity = CONTROLLER, region: str = "eu-west-1", *, public: bool = False
    ) -> IssuedToken:
        """Fetch a token, and return what AWS issued."""
        token: Token = await self.ecr.fetch(TokenScope(identity=identity, region=region, public=public), demand())
        if self.ecr.caller_log is not None:
            await self.ecr.caller_log
        return next(each for each in self.aws.tokens if each.authorization_token == token.auth.reveal())

    async def failure(self, identity: Identity = CONTROLLER, region: str = "eu-west-1") -> Failure:
        """Return the failure of a fetch, which must not hold a secret."""
        with pytest.raises(FailureError) as raised:
            await self.fetch(identity, region)
        self.check_no_secret(str(raised.value), repr(raised.value), repr(raised.value.failure))
        return raised.value.failure

    def check_no_secret(self, *texts: str) -> None:
        """Assert that no text holds a secret that AWS issued, or the token of a ServiceAccount."""
        secrets = {*self.aws.secrets, *filter(None, [self.web_token])}
        assert not [text for text in texts for secret in secrets if secret in text]


def as_role(arn: str = BLUE, *, namespace: str = "team-a", **options: object) -> Identity:
    """Return a role's identity as the policy makes it for a namespace."""
    grant = RoleGrant(role="arn:*", **options)  # type: ignore[arg-type] # a test's shorthand
    view = ObservedNamespace(name=namespace, resource_version=1)
    return Policy(cluster_name="test", roles=(grant,)).identity(view, (), role=arn)


@contextmanager
def identity_harness(patch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    """Start AWS with a user that may do everything, a role that it may assume, and a ServiceAccount's role."""
    clock = Clock()
    with serve_in_thread(clock=clock) as aws:
        built = IdentityHarness(aws, clock, patch)
        aws.trust_issuer(built.issuer.url, built.issuer.jwks())
        aws.allow_role(BLUE, trusted_principals=USER_ARN)
        aws.allow_role(OWN, trusts_subjects=SUBJECT)
        yield built
