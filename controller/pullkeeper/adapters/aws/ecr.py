"""Tokens from ECR and ECR Public."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

from pullkeeper.adapters.aws.errors import code_of, explained
from pullkeeper.adapters.aws.sts import QUICK, Sessions, WebIdentity
from pullkeeper.adapters.aws.threads import in_thread
from pullkeeper.domain.ecr.aws_errors import is_stale_credential
from pullkeeper.domain.ecr.credential import Password, Token, is_authorization
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind

logger = logging.getLogger(__name__)

_AT_ONCE = 8
"""Calls under way at the same time, in threads of their own."""
_STRANGERS_AT_ONCE = 4
"""As many more to regions that have never answered, which may be made up: they keep nobody waiting but themselves."""
_PAUSE = 0.2
"""Seconds between two calls to one region: a quarter of the lowest rate that AWS publishes (20 a second)."""


class Meters(Protocol):
    """Whoever counts the calls."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """A token was asked for."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """A token was had."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """A request to AWS was tried, with this status code (0: no answer)."""


AskWebIdentity = Callable[[Identity], Awaitable[tuple[str, str]]]
"""Gives the role's ARN and a new token of a ServiceAccount; raises FailureError with what is missing."""


class Ecr:
    """Fetches tokens as the controller, as a role that it assumes, or as a ServiceAccount of a namespace."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        allow_node_instance_role: bool,
        clock: Callable[[], datetime],
        meters: Meters,
        web_identity: AskWebIdentity,
    ) -> None:
        home_region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        self._sessions = Sessions(
            home_region=home_region,
            allow_node_instance_role=allow_node_instance_role,
            clock=clock,
            observe=meters.record_aws_request,
        )
        self._principal = environment.get("AWS_ROLE_ARN", "the controller's own identity")
        # An endpoint that the environment names is used as it is; botocore refuses to make variants of one.
        self._variants = "AWS_ENDPOINT_URL_ECR" not in environment and "AWS_ENDPOINT_URL" not in environment
        self._clock = clock
        self._meters = meters
        self._web_identity = web_identity
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._strangers = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._answered: set[str] = set()
        self._free_at: dict[str, float] = {}
        self.introduction: asyncio.Task[None] | None = None
        """Tells in the log who the controller is to STS; made with the first token."""

    async def introduce(self) -> None:
        """Say which way the controller's own credentials are had; no call to AWS's APIs is made for it."""
        try:
            logger.info("AWS credentials: %s, as %s", await self.way(), self._principal)
        except FailureError as error:
            logger.warning("AWS credentials: %s", error)

    async def way(self) -> str:
        """Tell by which of botocore's ways the controller's own credentials are had; raises FailureError."""
        return await self._own("looking for credentials", "its home region", self._sessions.method)

    async def caller(self, region: str) -> str:
        """Ask STS in a region who the controller is: an ARN; raises FailureError."""
        asking = f"asking STS in {region} who this is,"
        return await self._own(asking, region, lambda: _caller(self._sessions.own("sts", region)))

    async def _own(self, doing: str, region: str, call: Callable[[], str]) -> str:
        try:
            return await in_thread(call)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a library raises becomes a reason, and shows no content
            scope = TokenScope(identity=CONTROLLER, region=region)
            raise FailureError(explained(scope, self._principal, error, doing=doing)) from None

    async def fetch(self, scope: TokenScope) -> Token:
        """Fetch a new token; raises FailureError with its reason."""
        loop = asyncio.get_running_loop()
        async with self._slots if scope.region in self._answered else self._strangers:
            await self._pace(scope.region)
            started, reason = loop.time(), None
            try:
                token = await self._fetch(scope, await self._web(scope.identity))
                if token.expires_at <= self._clock():
                    reason = Reason.TOKEN_EXPIRED.value
            except FailureError as error:
                reason = error.failure.reason.value
                raise
            finally:
                self._meters.record_token_request(scope, loop.time() - started, reason)
        self._answered.add(scope.region)
        self._introduce_caller(scope)
        if reason is None:
            self._meters.record_token(scope, token.issued_at, token.expires_at)
        until = f"{token.expires_at:%FT%TZ}"
        logger.info("new token for %s in %s, good until %s", scope.identity, scope.label, until)
        return token

    async def _pace(self, region: str) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at.get(region, now))
        self._free_at = {each: free for each, free in self._free_at.items() if free > now} | {region: turn + _PAUSE}
        await asyncio.sleep(turn - now)

    async def _web(self, identity: Identity) -> WebIdentity | None:
        if identity.kind is not Kind.SERVICE_ACCOUNT:
            return None
        role_arn, token = await self._web_identity(identity)
        return WebIdentity(role_arn=role_arn, token=token)

    async def _fetch(self, scope: TokenScope, web: WebIdentity | None) -> Token:
        try:
            try:
                return await in_thread(lambda: self._ask(scope, web))
            except ClientError as error:
                if not is_stale_credential(code_of(error)):
                    raise
                self._sessions.forget(scope.identity)
                return await in_thread(lambda: self._ask(scope, web))
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a library raises becomes a reason, and shows no content
            raise FailureError(explained(scope, self._who(scope.identity, web, error), error)) from None

    def _who(self, identity: Identity, web: WebIdentity | None, error: Exception) -> str:
        if web is not None:
            return f"{web.role_arn} (as {identity})"
        if identity.kind is Kind.ROLE and isinstance(error, ClientError) and error.operation_name == "AssumeRole":
            return f"{self._principal}, which is to become {identity.role_arn},"
        return identity.role_arn or self._principal

    def _ask(self, scope: TokenScope, web: WebIdentity | None) -> Token:
        service = "ecr-public" if scope.public else "ecr"
        config, variant = self._endpoint(scope)
        if scope.identity.kind is Kind.CONTROLLER:
            client = self._sessions.own(service, scope.region, config, variant)
            return _answered(client, scope, self._clock())
        client = self._sessions.assumed(scope.identity, web, service, scope.region, config)
        try:
            return _answered(client, scope, self._clock())
        finally:
            client.close()

    def _endpoint(self, scope: TokenScope) -> tuple[Config, str]:
        """Choose the endpoint by the form of the hosts: FIPS for FIPS, dual-stack for dual-stack."""
        if not self._variants or scope.public or not (scope.fips or scope.dual_stack):
            return QUICK, ""
        variant = Config(use_fips_endpoint=scope.fips, use_dualstack_endpoint=scope.dual_stack)
        return QUICK.merge(variant), f"fips={scope.fips} dual-stack={scope.dual_stack}"

    def _introduce_caller(self, scope: TokenScope) -> None:
        """Say once, after the first token, who STS says that the controller is; nothing waits for it."""
        if scope.identity.kind is Kind.CONTROLLER and self.introduction is None:
            self.introduction = asyncio.create_task(self._tell_caller(scope.region))

    async def _tell_caller(self, region: str) -> None:
        try:
            logger.info("AWS caller: %s", await self.caller(region))
        except FailureError as error:  # it only informs; what is wrong is said of the token's call
            logger.info("AWS caller: not told (%s)", error.failure.reason)


def _caller(client: Any) -> str:  # botocore's client
    return str(client.get_caller_identity()["Arn"])


def _answered(client: Any, scope: TokenScope, issued_at: datetime) -> Token:  # botocore's client
    return _token(scope, client.get_authorization_token(), issued_at)


def _token(scope: TokenScope, answer: Mapping[str, Any], issued_at: datetime) -> Token:
    try:
        data = answer["authorizationData"]
        data = data if scope.public else data[0]
        auth, expires_at = data["authorizationToken"], data["expiresAt"].astimezone(UTC)
        sound = is_authorization(auth)
    except (KeyError, IndexError, TypeError, AttributeError):
        sound, auth, expires_at = False, "", issued_at
    if not sound:
        message = f"ECR in {scope.region} answered with no token that can be read; check proxies between here and AWS"
        raise FailureError(Failure(reason=Reason.MALFORMED_ANSWER, message=message))
    return Token(auth=Password(auth), issued_at=_whole_ms(issued_at), expires_at=_whole_ms(expires_at))


def _whole_ms(moment: datetime) -> datetime:
    """Cut to what the Secret's annotations can say, so that what is read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
