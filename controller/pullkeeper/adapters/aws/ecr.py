"""Authorization tokens from ECR and ECR Public."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from pullkeeper.adapters.aws.calls import CallError, Calls
from pullkeeper.adapters.aws.clients import Clients, Keys
from pullkeeper.adapters.aws.credentials import Credentials, RequestToken
from pullkeeper.adapters.aws.errors import error_code, is_unreachable, to_failure
from pullkeeper.adapters.aws.own_identities import OWN, OwnIdentities
from pullkeeper.adapters.aws.partitions import is_listed, partition_of
from pullkeeper.domain.config.policy import OwnIdentity
from pullkeeper.domain.ecr.aws_errors import (
    is_ambiguous_refusal,
    is_disabled_region,
    is_stale_credential,
    partition_mismatch,
    region_not_enabled,
)
from pullkeeper.domain.ecr.credential import Password, Token, is_authorization
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import LONGEST_LIFE
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.tokens.call_queue import CallQueue
from pullkeeper.tokens.demand import Demand, Requester

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

_SECONDS = 12.0
"""Deadline for a token from ECR, not counting the wait for a slot."""
_MAX_REMEMBERED = 4096
"""Scopes of which something is remembered."""
_WITHOUT_DUAL_STACK = 86400.0
"""Seconds in which a dual-stack endpoint that could not be reached is not tried again: at least one rotation."""
_PRINCIPAL_SECONDS = 3.0
"""A token waits so long for the principal that it is fetched as."""
_SLACK = timedelta(minutes=15)
"""How much longer a token may seem to live: the clocks of AWS and of this node may differ a little."""
_NOBODY = Requester(namespace="", first=False)


class Metrics(Protocol):
    """Records the calls to AWS."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Record a fetch; `reason` is that of its failure."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Record a new token."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Record one attempt of a request to AWS, with its status code (0: no response)."""


class Ecr:
    """Fetches tokens as the controller, as a role that it assumes, or as a namespace's ServiceAccount."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        registries: Sequence[RegistryHost],
        allow_node_instance_role: bool,
        clock: Callable[[], datetime],
        metrics: Metrics,
        service_account_token: RequestToken,
        roles_anywhere: RolesAnywhere | None = None,
        identities: Sequence[OwnIdentity] = (),
    ) -> None:
        """`registries` are the installation's own: they may tell the regions of the controller's sessions."""
        self._clock = clock
        self._metrics = metrics
        self._calls = Calls()
        self._clients = Clients(metrics.record_aws_request)
        self._queue = CallQueue(is_listed=is_listed)
        builder = OwnIdentities(
            environment=environment,
            registries=registries,
            record_request=metrics.record_aws_request,
            clock=clock,
            ask_sts=self._caller_arn,
        )
        self._own = builder.all(identities, roles_anywhere, allow_node_instance_role=allow_node_instance_role)
        self._credentials = Credentials(
            own=self._own,
            calls=self._calls,
            clients=self._clients,
            queue=self._queue,
            clock=clock,
            service_account_token=service_account_token,
        )
        self._recognised: dict[TokenScope, None] = {}
        """Scopes whose identity AWS has recognised in their region."""
        self._without_dual_stack: dict[TokenScope, float] = {}
        """Until when a scope does not try its dual-stack endpoint."""
        self.caller_log: asyncio.Task[None] | None = None
        """Logs the controller's ARN; started with its first token."""
        self._first_looks: dict[str, asyncio.Task[None]] = {}
        """Find out the principals of the controller's identities before their first tokens are fetched."""

    def region(self, identity: Identity = CONTROLLER) -> str:
        """Return the region of a session of the controller's, in which STS is asked."""
        return self._own[identity.name].region

    async def log_credential_source(self) -> None:
        """Log where the controller's credentials come from, and for whom; this calls no AWS API."""
        await asyncio.gather(*(self._log_source(Identity(name=name)) for name in self._own))

    async def _log_source(self, identity: Identity) -> None:
        own, label = self._own[identity.name], f" of identity {identity.own_name}" if identity.own_name else ""
        try:
            source = await self._credentials.source(identity)
        except FailureError as error:
            logger.warning("AWS credentials%s: %s", label, error)
            return
        named = own.holder if source.principal == principal.of_role(own.holder) else source.principal or OWN
        logger.info("AWS credentials%s: %s%s, as %s", label, source.method, source.detail, named)
        own.caller.record(source.principal)

    async def credential_method(self, identity: Identity = CONTROLLER) -> str:
        """Return botocore's name for the source of credentials of the controller's; raise FailureError."""
        return (await self._credentials.source(identity)).method

    def on_principal(self, callback: Callable[[str, str], None]) -> None:
        """Call this whenever another principal is known to be behind an identity of the controller's than before.

        It is called with the identity's name and the principal.
        """
        for name, own in self._own.items():
            own.caller.on_change(partial(callback, name))

    async def principal(self, requester: Requester, identity: Identity = CONTROLLER) -> str:
        """Return the principal behind an identity of the controller's, "" if it cannot be told soon. Never fails.

        To be asked when a token is wanted: where only STS knows it, the first one to ask obtains the credentials.
        """
        caller = self._own[identity.name].caller
        if caller.name == principal.UNKNOWN:
            if identity.name not in self._first_looks:
                finding_out = self._look_up_principal(identity, Demand(requester))
                self._first_looks[identity.name] = asyncio.create_task(finding_out)
            # asyncio.wait does not cancel it together with this caller: others share it.
            await asyncio.wait([self._first_looks[identity.name]], timeout=_PRINCIPAL_SECONDS)
        return caller.name

    async def _look_up_principal(self, identity: Identity, demand: Demand) -> None:
        """Find out once: after that, whatever obtains credentials takes note of whose they are."""
        caller = self._own[identity.name].caller
        with suppress(FailureError):
            caller.record((await self._credentials.source(identity)).principal)
            if caller.name == principal.UNKNOWN:
                await self._credentials.get(identity, demand)

    async def caller_arn(self, identity: Identity = CONTROLLER) -> str:
        """Return an ARN of the controller's from STS in the region of its session; raise FailureError."""
        demand = Demand(_NOBODY)
        keys = await self._credentials.get(identity, demand)
        try:
            return await self._caller_arn(keys, [demand])
        except CallError as error:
            doing = f"calling GetCallerIdentity of STS in {keys.sts_region}"
            raise FailureError(to_failure(error, principal=keys.holder, doing=doing)) from None

    async def fetch(self, scope: TokenScope, demand: Demand) -> Token:
        """Fetch a new token for those who wait for it; raise FailureError."""
        loop = asyncio.get_running_loop()
        started, reason = loop.time(), None
        try:
            token = await self._fetch(scope, demand)
            if token.expires_at <= self._clock():
                reason = Reason.TOKEN_EXPIRED.value
        except FailureError as error:
            reason = error.failure.reason.value
            raise
        finally:
            self._metrics.record_token_request(scope, loop.time() - started, reason)
        self._start_caller_log(scope)
        if reason is None:
            self._metrics.record_token(scope, token.issued_at, token.expires_at)
        until = f"{token.expires_at:%FT%TZ}"
        logger.info("new token for %s in %s, valid until %s", scope.identity, scope.label, until)
        return token

    async def _fetch(self, scope: TokenScope, demand: Demand) -> Token:
        """Fetch a token; with new credentials a second time if the first ones are stale."""
        self._check_partition(scope)
        renewed = False
        while True:
            keys = await self._credentials.get(scope.identity, demand)
            try:
                return replace(await self._authorize(scope, keys, demand), principal=keys.principal)
            except CallError as error:
                if not await self._is_stale(scope, keys, demand, error) or renewed:
                    raise FailureError(to_failure(error, principal=keys.holder, scope=scope)) from None
            self._credentials.forget(scope.identity, keys)
            renewed = True

    def _check_partition(self, scope: TokenScope) -> None:
        """Raise FailureError for what no call could make right: credentials are valid in one partition only."""
        if scope.identity.kind is Kind.SERVICE_ACCOUNT:
            return
        own = self._own[scope.identity.taken_by.name]
        if own.partition not in ("", partition_of(scope.region)):
            raise FailureError(partition_mismatch(scope, own.holder, own.partition, partition_of(scope.region)))

    async def _is_stale(self, scope: TokenScope, keys: Keys, demand: Demand, error: CallError) -> bool:
        """Whether new credentials may help. Raise FailureError if STS knows them, so that the region is to blame.

        To a region that is not enabled for an account, all of its credentials are unknown.
        """
        if not isinstance(error.cause, ClientError) or not is_stale_credential(code := error_code(error.cause)):
            return False
        if not is_ambiguous_refusal(code) or scope in self._recognised:
            return True
        try:
            arn = await self._caller_arn(keys, [demand])
        except CallError as refusal:
            answer = error_code(refusal.cause) if isinstance(refusal.cause, ClientError) else ""
            if is_disabled_region(answer):
                raise FailureError(to_failure(refusal, principal=keys.holder)) from None
            # Without an answer, only the region of the session itself is beyond doubt.
            return is_stale_credential(answer) or scope.region == keys.sts_region
        raise FailureError(
            region_not_enabled(scope, keys.holder, arn, code, partition=partition_of(scope.region))
        ) from None

    async def _authorize(self, scope: TokenScope, keys: Keys, demand: Demand) -> Token:
        """Call ECR; raise CallError. A dual-stack endpoint that cannot be reached is replaced, a FIPS one never."""
        loop = asyncio.get_running_loop()
        dual_stack = scope.dual_stack and loop.time() >= self._without_dual_stack.get(scope, 0.0)
        async with self._queue.slot(_endpoint_name(scope, dual_stack=dual_stack), scope.region, [demand]):
            ends_at = loop.time() + _SECONDS
            if not dual_stack:
                return await self._call(scope, keys, ends_at, dual_stack=False)
            try:
                return await self._call(scope, keys, loop.time() + _SECONDS / 2, dual_stack=True)
            except CallError as error:
                if not is_unreachable(error):
                    raise
            token = await self._call(scope, keys, ends_at, dual_stack=False)
            _remember(self._without_dual_stack, scope, loop.time() + _WITHOUT_DUAL_STACK)
            logger.info("ECR in %s: the dual-stack endpoint cannot be reached: using the other one", scope.region)
            return token

    async def _call(self, scope: TokenScope, keys: Keys, ends_at: float, *, dual_stack: bool) -> Token:
        config = _config(scope, dual_stack=dual_stack)

        def call() -> Token:
            client = self._clients.create("ecr-public" if scope.public else "ecr", scope.region, keys, config)
            try:
                issued_at = self._clock()
                return _token(scope, client.get_authorization_token(), issued_at)
            finally:
                client.close()

        region = scope.region if self._queue.is_known(scope.region) else ""
        group = f"{_endpoint_name(scope, dual_stack=dual_stack)} {region}"
        seconds = ends_at - asyncio.get_running_loop().time()
        try:
            token = await self._calls.run(call, group=group, seconds=seconds)
        except CallError as error:
            if isinstance(error.cause, ClientError):
                self._record_answer(scope, recognised=not is_stale_credential(error_code(error.cause)))
            raise
        self._record_answer(scope, recognised=True)
        return token

    def _record_answer(self, scope: TokenScope, *, recognised: bool) -> None:
        self._queue.record_answer(scope.region)
        if recognised:
            _remember(self._recognised, scope, None)

    async def _caller_arn(self, keys: Keys, demands: Sequence[Demand]) -> str:
        def call() -> str:
            client = self._clients.create("sts", keys.sts_region, keys)
            try:
                return str(client.get_caller_identity()["Arn"])
            finally:
                client.close()

        async with self._queue.slot("sts", keys.sts_region, demands):
            return await self._calls.run(call, group=f"sts {keys.sts_region}", seconds=_SECONDS)

    def _start_caller_log(self, scope: TokenScope) -> None:
        """Log the controller's ARN once, after its first token, if nobody has asked for it; nothing waits for it."""
        is_own, caller = scope.identity.name == CONTROLLER.name, self._own[CONTROLLER.name].caller
        if is_own and not caller.was_asked and self.caller_log is None:
            self.caller_log = asyncio.create_task(self._log_caller())

    async def _log_caller(self) -> None:
        try:
            logger.info("AWS caller: %s", await self.caller_arn())
        except FailureError as error:  # for information only: token fetches report their own failures
            logger.info("AWS caller: unknown (%s)", error.failure.reason)


def _endpoint_name(scope: TokenScope, *, dual_stack: bool) -> str:
    """Return which kind of endpoint is called: each may fail and hang by itself."""
    names = ("ecr-public" if scope.public else "ecr", "fips" if scope.fips else "", "dual-stack" if dual_stack else "")
    return " ".join(filter(None, names))


def _config(scope: TokenScope, *, dual_stack: bool) -> Config | None:
    """Return what the host adds to the environment's own demands: it takes none of them away."""
    if scope.public or not (scope.fips or dual_stack):
        return None
    return Config(use_fips_endpoint=scope.fips or None, use_dualstack_endpoint=dual_stack or None)


def _remember(known: dict[TokenScope, _T], scope: TokenScope, value: _T) -> None:
    """Remember something of the most recent scopes."""
    known.pop(scope, None)
    known[scope] = value
    if len(known) > _MAX_REMEMBERED:
        del known[next(iter(known))]


def _token(scope: TokenScope, response: Mapping[str, Any], issued_at: datetime) -> Token:
    try:
        data = response["authorizationData"]
        data = data if scope.public else data[0]
        auth, expires_at = data["authorizationToken"], data["expiresAt"].astimezone(UTC)
        valid = is_authorization(auth)
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError):
        valid, auth, expires_at = False, "", issued_at
    if not valid:
        message = f"ECR in {scope.region} returned no readable token; check proxies between here and AWS"
        raise FailureError(Failure(reason=Reason.MALFORMED_ANSWER, message=message))
    if expires_at - issued_at > LONGEST_LIFE + _SLACK:
        expires_at = issued_at + LONGEST_LIFE
    return Token(auth=Password(auth), issued_at=_truncate_to_ms(issued_at), expires_at=_truncate_to_ms(expires_at))


def _truncate_to_ms(moment: datetime) -> datetime:
    """Cut to the precision of the Secret's annotations, so that a validity read back is equal."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
