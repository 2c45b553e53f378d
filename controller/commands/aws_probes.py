"""What `pullkeeper check` asks AWS: whose credentials these are, and a token for each default registry's region."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from controller.core import content
from controller.core.annotations import DesiredState
from controller.core.checklist import Item, Probe, not_asked, passed
from controller.core.identity import Identity, TokenScope
from controller.core.settings import Settings
from controller.doors.aws import Ecr


class AwsProbes:
    """Asks as the controller itself; a token is neither shown nor kept."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], *, clock: Callable[[], datetime]) -> None:
        self._scopes = sorted(content.scopes(DesiredState(registries=settings.registries)))
        self._region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        self._ecr = Ecr(
            environment=environment,
            allow_node_role=settings.allow_node_role,
            clock=clock,
            meters=_Uncounted(),
            web_identity=_nobody,
        )

    def all(self) -> list[tuple[str, Probe]]:
        """Give every question with its name."""
        tokens = [(f"token in {scope.label}", partial(self._token, scope)) for scope in self._scopes]
        named: list[tuple[str, Probe]] = [("AWS credentials", self._way), ("AWS caller", self._caller)]
        return [*named, *tokens] if tokens else [*named, ("token", self._no_token)]

    async def _way(self) -> Sequence[Item]:
        way = await self._ecr.way()
        return [passed("AWS credentials", f"by {way}")]

    async def _caller(self) -> Sequence[Item]:
        region = self._region or next((scope.region for scope in self._scopes), "us-east-1")
        return [passed("AWS caller", await self._ecr.caller(region))]

    async def _token(self, scope: TokenScope) -> Sequence[Item]:
        token = await self._ecr.fetch(scope)
        return [passed(f"token in {scope.label}", f"had, good until {token.expires_at:%Y-%m-%d %H:%M:%SZ}")]

    async def _no_token(self) -> Sequence[Item]:
        return [not_asked("token", "the settings name no default registries")]


async def _nobody(identity: Identity) -> tuple[str, str]:
    """Refuse: only the controller's own identity is asked for."""
    raise AssertionError(identity)


class _Uncounted:
    """A command has no metrics."""

    def token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Count nothing."""

    def aws_request(self, service: str, operation: str, code: int) -> None:
        """Nobody counts."""

    def token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Count nothing."""
