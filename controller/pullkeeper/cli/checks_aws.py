"""Checks against AWS: the credentials, the caller identity, and a token for each default registry's region."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pullkeeper.adapters.aws import Ecr
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views.check_result import Check, CheckResult, passed, skipped
from pullkeeper.tokens.demand import Demand, Requester


class AwsChecks:
    """Checks AWS with the controller's own identity; tokens are fetched and discarded."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], *, clock: Callable[[], datetime]) -> None:
        self._scopes = entries.token_scopes(DesiredState(registries=settings.policy.registries))
        self._ecr = Ecr(
            environment=environment,
            registries=settings.policy.registries,
            allow_node_instance_role=settings.allow_node_instance_role,
            clock=clock,
            metrics=_NoMetrics(),
            service_account_token=_no_service_accounts,
        )

    def all(self) -> list[tuple[str, Check]]:
        """Return every check with its name."""
        tokens = [(f"token in {scope.label}", partial(self._token, scope)) for scope in self._scopes]
        identity: list[tuple[str, Check]] = [("AWS credentials", self._credentials), ("AWS caller", self._caller)]
        return [*identity, *tokens] if tokens else [*identity, ("token", self._no_token)]

    async def _credentials(self) -> Sequence[CheckResult]:
        return [passed("AWS credentials", f"from {await self._ecr.credential_method()}")]

    async def _caller(self) -> Sequence[CheckResult]:
        return [passed("AWS caller", await self._ecr.caller_arn())]

    async def _token(self, scope: TokenScope) -> Sequence[CheckResult]:
        token = await self._ecr.fetch(scope, Demand(Requester(namespace="", first=True)))
        return [passed(f"token in {scope.label}", f"fetched, valid until {token.expires_at:%Y-%m-%d %H:%M:%SZ}")]

    async def _no_token(self) -> Sequence[CheckResult]:
        return [skipped("token", "there are no default registries in the settings")]


async def _no_service_accounts(identity: Identity) -> str:
    """Raise AssertionError: only the controller's own identity is checked."""
    raise AssertionError(identity)


class _NoMetrics:
    """Records nothing: a command has no metrics."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Record nothing."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Record nothing."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Record nothing."""
