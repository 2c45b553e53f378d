"""What `pullkeeper check` asks AWS: whose credentials these are, and a token for each default registry's region."""

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


class AwsChecks:
    """Asks as the controller itself; a token is neither shown nor kept."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], *, clock: Callable[[], datetime]) -> None:
        self._scopes = sorted(entries.token_scopes(DesiredState(registries=settings.registries)))
        self._region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        self._ecr = Ecr(
            environment=environment,
            allow_node_instance_role=settings.allow_node_instance_role,
            clock=clock,
            meters=_Uncounted(),
            web_identity=_nobody,
        )

    def all(self) -> list[tuple[str, Check]]:
        """Give every question with its name."""
        tokens = [(f"token in {scope.label}", partial(self._token, scope)) for scope in self._scopes]
        named: list[tuple[str, Check]] = [("AWS credentials", self._way), ("AWS caller", self._caller)]
        return [*named, *tokens] if tokens else [*named, ("token", self._no_token)]

    async def _way(self) -> Sequence[CheckResult]:
        way = await self._ecr.way()
        return [passed("AWS credentials", f"by {way}")]

    async def _caller(self) -> Sequence[CheckResult]:
        region = self._region or next((scope.region for scope in self._scopes), "us-east-1")
        return [passed("AWS caller", await self._ecr.caller(region))]

    async def _token(self, scope: TokenScope) -> Sequence[CheckResult]:
        token = await self._ecr.fetch(scope)
        return [passed(f"token in {scope.label}", f"had, good until {token.expires_at:%Y-%m-%d %H:%M:%SZ}")]

    async def _no_token(self) -> Sequence[CheckResult]:
        return [skipped("token", "the settings name no default registries")]


async def _nobody(identity: Identity) -> tuple[str, str]:
    """Refuse: only the controller's own identity is asked for."""
    raise AssertionError(identity)


class _Uncounted:
    """A command has no metrics."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Count nothing."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Nobody counts."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Count nothing."""
