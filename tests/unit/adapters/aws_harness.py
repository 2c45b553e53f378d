"""The door to AWS in front of the fake, quick enough for tests; whatever leaks is found at the end."""

import os
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from botocore.config import Config

from pullkeeper.adapters.aws import Ecr, ecr, sts
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.iam.identity import Identity
from testsupport.fake_aws import AwsFake
from testsupport.waiting import HANG_GUARD


def quick(attempts: int = 1, seconds: float = HANG_GUARD) -> Config:
    return Config(
        connect_timeout=seconds,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


class Counts:
    """Writes down what the door counts."""

    def __init__(self) -> None:
        self.requests: list[tuple[TokenScope, str | None]] = []
        self.tokens: list[tuple[TokenScope, datetime]] = []
        self.tries: list[tuple[str, str, int]] = []

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        assert seconds >= 0
        self.requests.append((scope, reason))

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        assert now <= datetime.now(UTC)
        self.tokens.append((scope, expires_at))

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        self.tries.append((service, operation, code))


async def no_web_identity(identity: Identity) -> tuple[str, str]:
    """Nobody here asks for a ServiceAccount's token."""
    raise AssertionError(identity)


class AwsHarness:
    """A process whose environment points to the fake."""

    def __init__(self, fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.counts = Counts()
        self._shown: list[str] = []
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(sts, "QUICK", quick())
        monkeypatch.setattr(ecr, "QUICK", quick())
        monkeypatch.setattr(ecr, "_PAUSE", 0.0)
        # Who the caller is would be asked beside the calls that are counted here.
        monkeypatch.setattr(Ecr, "_introduce_caller", lambda *_: None)

    def door(self, environment: Mapping[str, str] | None = None, *, allow_node_instance_role: bool = False) -> Ecr:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self._monkeypatch.delenv(name)
        for name, value in (self.fake.environment() if environment is None else environment).items():
            self._monkeypatch.setenv(name, value)
        return Ecr(
            environment=os.environ,
            allow_node_instance_role=allow_node_instance_role,
            clock=lambda: datetime.now(UTC),
            meters=self.counts,
            web_identity=no_web_identity,
        )

    async def refused(self, door: Ecr, scope: TokenScope) -> Failure:
        with pytest.raises(FailureError) as raised:
            await door.fetch(scope)
        self._shown.append("".join(traceback.format_exception(raised.value)))
        self._shown.append(repr(raised.value.failure))
        return raised.value.failure

    def search(self, log: str) -> None:
        """Fail if a secret that the fake has handed out was said anywhere."""
        said = log + "".join(self._shown)
        assert not [secret for secret in self.fake.secrets if secret in said]
