"""Authorization tokens from ECR and ECR Public."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

from pullkeeper.adapters.aws.errors import error_code, to_failure
from pullkeeper.adapters.aws.sts import CLIENT_CONFIG, Sessions, WebIdentity
from pullkeeper.adapters.aws.threads import in_thread
from pullkeeper.domain.ecr.aws_errors import is_stale_credential
from pullkeeper.domain.ecr.credential import Password, Token, is_authorization
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind
from pullkeeper.tokens.demand import Demand

logger = logging.getLogger(__name__)

_MAX_CONCURRENT = 8
"""Concurrent fetches, each in a thread of its own."""
_MAX_CONCURRENT_NEW = 4
"""Additional fetches from regions that have never responded: they may be made up, and must delay nobody else."""
_MIN_INTERVAL = 0.2
"""Seconds between two calls to one region: a quarter of the lowest rate that AWS publishes (20 per second)."""


class Metrics(Protocol):
    """Records the calls to AWS."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Record a fetch; `reason` is that of its failure."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Record a new token."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Record one attempt of a request to AWS, with its status code (0: no response)."""


RequestToken = Callable[[Identity], Awaitable[str]]
"""Returns a new token of a ServiceAccount; raises FailureError that says what is missing."""


class Ecr:
    """Fetches tokens as the controller, as a role that it assumes, or as a namespace's ServiceAccount."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        allow_node_instance_role: bool,
        clock: Callable[[], datetime],
        metrics: Metrics,
        service_account_token: RequestToken,
    ) -> None:
        home_region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        self._sessions = Sessions(
            home_region=home_region,
            allow_node_instance_role=allow_node_instance_role,
            clock=clock,
            record_request=metrics.record_aws_request,
        )
        self._principal = environment.get("AWS_ROLE_ARN", "the controller's own identity")
        # botocore refuses to derive FIPS or dual-stack variants of an endpoint that the environment sets.
        self._has_endpoint_variants = (
            "AWS_ENDPOINT_URL_ECR" not in environment and "AWS_ENDPOINT_URL" not in environment
        )
        self._clock = clock
        self._metrics = metrics
        self._service_account_token = service_account_token
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)
        self._slots_for_new_regions = asyncio.Semaphore(_MAX_CONCURRENT_NEW)
        self._known_regions: set[str] = set()
        self._free_at: dict[str, float] = {}
        self.caller_log: asyncio.Task[None] | None = None
        """Logs the controller's ARN; started with its first token."""

    async def log_credential_source(self) -> None:
        """Log where the controller's credentials come from; this calls no AWS API."""
        try:
            logger.info("AWS credentials: %s, as %s", await self.credential_method(), self._principal)
        except FailureError as error:
            logger.warning("AWS credentials: %s", error)

    async def credential_method(self) -> str:
        """Return botocore's name for the source of the controller's credentials; raise FailureError."""
        return await self._call("looking for credentials", "its home region", self._sessions.credential_method)

    async def caller_arn(self, region: str) -> str:
        """Return the controller's ARN from STS in a region; raise FailureError."""
        doing = f"calling GetCallerIdentity of STS in {region}"
        return await self._call(doing, region, lambda: _caller_arn(self._sessions.controller_client("sts", region)))

    async def _call(self, doing: str, region: str, call: Callable[[], str]) -> str:
        try:
            return await in_thread(call)
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 -- any exception of a library becomes a Failure without its text
            scope = TokenScope(identity=CONTROLLER, region=region)
            raise FailureError(to_failure(scope, self._principal, error, doing=doing)) from None

    async def fetch(self, scope: TokenScope, demand: Demand) -> Token:  # noqa: ARG002 -- part of the protocol
        """Fetch a new token for those who wait for it; raise FailureError."""
        loop = asyncio.get_running_loop()
        async with self._slots if scope.region in self._known_regions else self._slots_for_new_regions:
            await self._pace(scope.region)
            started, reason = loop.time(), None
            try:
                token = await self._fetch(scope, await self._web_identity_of(scope.identity))
                if token.expires_at <= self._clock():
                    reason = Reason.TOKEN_EXPIRED.value
            except FailureError as error:
                reason = error.failure.reason.value
                raise
            finally:
                self._metrics.record_token_request(scope, loop.time() - started, reason)
        self._known_regions.add(scope.region)
        self._start_caller_log(scope)
        if reason is None:
            self._metrics.record_token(scope, token.issued_at, token.expires_at)
        until = f"{token.expires_at:%FT%TZ}"
        logger.info("new token for %s in %s, valid until %s", scope.identity, scope.label, until)
        return token

    async def _pace(self, region: str) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._free_at.get(region, now))
        self._free_at = {each: free for each, free in self._free_at.items() if free > now} | {
            region: turn + _MIN_INTERVAL
        }
        await asyncio.sleep(turn - now)

    async def _web_identity_of(self, identity: Identity) -> WebIdentity | None:
        if identity.kind is not Kind.SERVICE_ACCOUNT:
            return None
        return WebIdentity(role_arn=identity.role_arn, token=await self._service_account_token(identity))

    async def _fetch(self, scope: TokenScope, web: WebIdentity | None) -> Token:
        try:
            try:
                return await in_thread(lambda: self._request_token(scope, web))
            except ClientError as error:
                if not is_stale_credential(error_code(error)):
                    raise
                self._sessions.invalidate(scope.identity)
                return await in_thread(lambda: self._request_token(scope, web))
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 -- any exception of a library becomes a Failure without its text
            raise FailureError(to_failure(scope, self._principal_of(scope.identity, web, error), error)) from None

    def _principal_of(self, identity: Identity, web: WebIdentity | None, error: Exception) -> str:
        if web is not None:
            return f"{web.role_arn} (as {identity})"
        if identity.kind is Kind.ROLE and isinstance(error, ClientError) and error.operation_name == "AssumeRole":
            return f"{self._principal}, assuming {identity.role_arn},"
        return identity.role_arn or self._principal

    def _request_token(self, scope: TokenScope, web: WebIdentity | None) -> Token:
        service = "ecr-public" if scope.public else "ecr"
        config, variant = self._endpoint(scope)
        if scope.identity.kind is Kind.CONTROLLER:
            client = self._sessions.controller_client(service, scope.region, config, variant)
            return _get_token(client, scope, self._clock())
        client = self._sessions.role_client(scope.identity, web, service, scope.region, config)
        try:
            return _get_token(client, scope, self._clock())
        finally:
            client.close()

    def _endpoint(self, scope: TokenScope) -> tuple[Config, str]:
        """Return the client configuration for the endpoint that the hosts ask for: FIPS, dual-stack or neither."""
        if not self._has_endpoint_variants or scope.public or not (scope.fips or scope.dual_stack):
            return CLIENT_CONFIG, ""
        variant = Config(use_fips_endpoint=scope.fips, use_dualstack_endpoint=scope.dual_stack)
        return CLIENT_CONFIG.merge(variant), f"fips={scope.fips} dual-stack={scope.dual_stack}"

    def _start_caller_log(self, scope: TokenScope) -> None:
        """Log the controller's ARN once, after its first token; nothing waits for it."""
        if scope.identity.kind is Kind.CONTROLLER and self.caller_log is None:
            self.caller_log = asyncio.create_task(self._log_caller(scope.region))

    async def _log_caller(self, region: str) -> None:
        try:
            logger.info("AWS caller: %s", await self.caller_arn(region))
        except FailureError as error:  # for information only: token fetches report their own failures
            logger.info("AWS caller: unknown (%s)", error.failure.reason)


def _caller_arn(client: Any) -> str:  # botocore's client
    return str(client.get_caller_identity()["Arn"])


def _get_token(client: Any, scope: TokenScope, issued_at: datetime) -> Token:  # botocore's client
    return _token(scope, client.get_authorization_token(), issued_at)


def _token(scope: TokenScope, response: Mapping[str, Any], issued_at: datetime) -> Token:
    try:
        data = response["authorizationData"]
        data = data if scope.public else data[0]
        auth, expires_at = data["authorizationToken"], data["expiresAt"].astimezone(UTC)
        valid = is_authorization(auth)
    except (KeyError, IndexError, TypeError, AttributeError):
        valid, auth, expires_at = False, "", issued_at
    if not valid:
        message = f"ECR in {scope.region} returned no readable token; check proxies between here and AWS"
        raise FailureError(Failure(reason=Reason.MALFORMED_ANSWER, message=message))
    return Token(auth=Password(auth), issued_at=_truncate_to_ms(issued_at), expires_at=_truncate_to_ms(expires_at))


def _truncate_to_ms(moment: datetime) -> datetime:
    """Cut to the precision of the Secret's annotations, so that a validity read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
