"""An Ecr against the fake of AWS, with short timeouts and a search for leaked secrets."""

import os
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from botocore.config import Config

from pullkeeper.adapters.aws import Ecr, clients, credentials, roles_anywhere
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.tokens import call_queue
from testsupport.examples import demand
from testsupport.fake_aws import AwsFake
from testsupport.waiting import HANG_GUARD


def client_config(attempts: int = 1, seconds: float = HANG_GUARD) -> Config:
    return Config(
        connect_timeout=seconds,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


class RequestRecorder:
    """The Metrics of an Ecr, as lists."""

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


async def no_service_account(identity: Identity) -> str:
    """Fail: no test here fetches as a ServiceAccount."""
    raise AssertionError(identity)


class AwsHarness:
    """A process whose environment points to the fake of AWS, with short timeouts."""

    def __init__(self, fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fake = fake
        self.recorder = RequestRecorder()
        self._shown: list[str] = []
        self._monkeypatch = monkeypatch
        for module in (clients, roles_anywhere):
            monkeypatch.setattr(module, "CLIENT_CONFIG", client_config())
        monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
        for name in ("_MIN_REMEMBERED", "_MAX_REMEMBERED"):
            monkeypatch.setattr(credentials, name, 0.0)
        # Who the caller is would be asked beside the calls that are counted here.
        monkeypatch.setattr(Ecr, "_start_caller_log", lambda *_: None)

    def token_source(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        registries: Sequence[RegistryHost] = (),
        allow_node_instance_role: bool = False,
    ) -> Ecr:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self._monkeypatch.delenv(name)
        for name, value in (self.fake.environment() if environment is None else environment).items():
            self._monkeypatch.setenv(name, value)
        return Ecr(
            environment=os.environ,
            registries=registries,
            allow_node_instance_role=allow_node_instance_role,
            clock=lambda: datetime.now(UTC),
            metrics=self.recorder,
            service_account_token=no_service_account,
        )

    async def failure(self, source: Ecr, scope: TokenScope) -> Failure:
        with pytest.raises(FailureError) as raised:
            await source.fetch(scope, demand())
        self._shown.append("".join(traceback.format_exception(raised.value)))
        self._shown.append(repr(raised.value.failure))
        return raised.value.failure

    def check_no_secret(self, log: str) -> None:
        """Assert that neither the log nor any failure holds a secret that the fake issued."""
        said = log + "".join(self._shown)
        assert not [secret for secret in self.fake.secrets if secret in said]
