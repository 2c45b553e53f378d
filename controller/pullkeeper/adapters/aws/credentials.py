"""Credentials of each identity: obtained once for all that need them, apart from those of every other identity."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from pullkeeper.adapters.aws.caller_principal import CallerPrincipal
from pullkeeper.adapters.aws.calls import CallError, Calls
from pullkeeper.adapters.aws.clients import Clients, CredentialSource, Keys
from pullkeeper.adapters.aws.errors import error_code, to_failure
from pullkeeper.adapters.aws.partitions import sts_region
from pullkeeper.domain.ecr.aws_errors import is_stale_credential
from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, shortened
from pullkeeper.tokens.call_queue import CallQueue
from pullkeeper.tokens.demand import Demand

_T = TypeVar("_T")

SECONDS = 10.0
"""Deadline for the credentials of one identity, not counting the wait for a slot at STS."""
_MAX_CHAINED_SECONDS = 3600
"""Role chaining: STS limits a session that is assumed from another role's session to one hour."""
_EXPIRY_MARGIN = timedelta(minutes=5)
"""Credentials count as expired this long before they expire."""
_MAX_IDENTITIES = 4096
_MIN_REMEMBERED, _MAX_REMEMBERED, _REMEMBERED_SHARE = 0.2, 30.0, 5.0
"""A failure that was long in coming holds for so many times as long, for all regions of the identity; any other for
less than the shortest retry, so that a retry after somebody's fix asks again."""
_LONG = 2.0
"""Seconds from which on a failure was long in coming."""

RequestToken = Callable[[Identity], Awaitable[str]]
"""Returns a new token of a ServiceAccount; raises FailureError that says what is missing."""


class ControllerCredentials(Protocol):
    """The controller's own credentials, called from threads."""

    def is_current(self) -> bool:
        """Whether what they were configured by is still as it was."""

    def source(self) -> CredentialSource:
        """Return where they come from; this asks no API of AWS."""

    def keys(self) -> Keys:
        """Return valid keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """One of the controller's identities."""

    region: str
    """Region of its session, in which STS is asked."""
    holder: str
    """Whose its credentials are, for messages."""
    partition: str
    """The only partition in which its credentials can be valid; "" if that is not known."""
    caller: CallerPrincipal
    open_session: Callable[[], ControllerCredentials]


@dataclass(kw_only=True, slots=True)
class _Entry:
    """What is known of one identity's credentials."""

    keys: Keys | None = None
    failure: Failure | None = None
    failed_until: float = 0.0
    in_flight: asyncio.Task[Keys | Failure] | None = None
    demands: list[Demand] = field(default_factory=list)
    """Who waits for the attempt in flight."""


class Credentials:
    """The credentials of every identity. None of them waits for another's, except a role for those that assume it."""

    def __init__(
        self,
        *,
        own: Mapping[str, Own],
        calls: Calls,
        clients: Clients,
        queue: CallQueue,
        clock: Callable[[], datetime],
        service_account_token: RequestToken,
    ) -> None:
        """`own` are the controller's identities, by name."""
        self._own = own
        self._home = own[CONTROLLER.name].region
        self._calls = calls
        self._clients = clients
        self._queue = queue
        self._clock = clock
        self._service_account_token = service_account_token
        self._sessions: dict[str, ControllerCredentials] = {}
        self._entries: dict[Identity, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, identity: Identity, demand: Demand) -> Keys:
        """Return the keys of an identity; raise FailureError.

        All callers share one attempt, and for a while its failure.
        """
        entry = self._entry(identity)
        # The controller's own are kept and renewed by botocore.
        if identity.kind is not Kind.CONTROLLER and entry.keys and self._is_valid(entry.keys):
            return entry.keys
        if entry.failure and asyncio.get_running_loop().time() < entry.failed_until:
            raise FailureError(entry.failure)
        entry.demands.append(demand)
        attempt = entry.in_flight = entry.in_flight or asyncio.create_task(self._obtain(identity, entry))
        # asyncio.wait does not cancel the attempt together with this caller: others share it.
        await asyncio.wait([attempt])
        found = attempt.result()
        if isinstance(found, Failure):
            raise FailureError(found)
        return found

    async def source(self, identity: Identity = CONTROLLER) -> CredentialSource:
        """Return where credentials of the controller's come from; raise FailureError. This asks no API of AWS."""
        return await self._use_session(identity, lambda session: session.source())

    def forget(self, identity: Identity, keys: Keys) -> None:
        """Drop keys that AWS does not accept, unless they have been renewed meanwhile; no other identity's."""
        entry = self._entries.get(identity)
        if entry and entry.keys == keys:
            entry.keys = None
            if identity.kind is Kind.CONTROLLER:
                self._sessions.pop(identity.name, None)

    def _entry(self, identity: Identity) -> _Entry:
        """Return the entry of an identity; the least recently used are dropped."""
        entry = self._entries[identity] = self._entries.pop(identity) if identity in self._entries else _Entry()
        if len(self._entries) > _MAX_IDENTITIES:
            idle = next((each for each, known in self._entries.items() if known.in_flight is None), None)
            if idle is not None and idle != identity:
                del self._entries[idle]
        return entry

    def _is_valid(self, keys: Keys) -> bool:
        return keys.expires_at is not None and self._clock() < keys.expires_at - _EXPIRY_MARGIN

    async def _obtain(self, identity: Identity, entry: _Entry) -> Keys | Failure:
        loop = asyncio.get_running_loop()
        started = loop.time()
        entry.keys = entry.failure = None
        try:
            entry.keys = await self._request(identity, entry.demands)
        except FailureError as error:
            now = loop.time()
            entry.failure = error.failure
            took = now - started
            remembered = took * _REMEMBERED_SHARE if took >= _LONG else _MIN_REMEMBERED
            entry.failed_until = now + min(remembered, _MAX_REMEMBERED)
            return error.failure
        else:
            return entry.keys
        finally:
            entry.in_flight, entry.demands = None, []

    async def _request(self, identity: Identity, demands: list[Demand]) -> Keys:
        if identity.kind is Kind.CONTROLLER:
            return await self._own_keys(identity, demands)
        if identity.kind is Kind.ROLE:
            return await self._role_keys(identity, demands)
        return await self._service_account_keys(identity, demands)

    async def _own_keys(self, identity: Identity, demands: Sequence[Demand]) -> Keys:
        own = self._own[identity.name]
        keys = await self._use_session(identity, lambda session: session.keys())
        keys = replace(keys, holder=own.holder, sts_region=own.region)
        return replace(keys, principal=await own.caller.of(keys, demands))

    async def _use_session(self, identity: Identity, use: Callable[[ControllerCredentials], _T]) -> _T:
        """Use a session of the controller's. One that fails or hangs is given up: the next reads everything anew."""
        own, known = self._own[identity.name], self._sessions.pop(identity.name, None)

        def call() -> tuple[ControllerCredentials, _T]:
            session = known if known and known.is_current() else own.open_session()
            return session, use(session)

        try:
            session, found = await self._calls.run(call, group=f"credentials {identity}", seconds=SECONDS)
        except CallError as error:
            raise FailureError(_failure(error, own.holder)) from None
        self._sessions[identity.name] = session
        return found

    async def _role_keys(self, identity: Identity, demands: Sequence[Demand]) -> Keys:
        by = identity.assuming
        holder = f"{self._own[by.name].holder}, assuming {identity.role_arn}"
        keys = await self.get(by, demands[0])
        try:
            return await self._assume(identity, keys, demands)
        except CallError as error:
            if not isinstance(error.cause, ClientError) or not is_stale_credential(error_code(error.cause)):
                raise FailureError(_failure(error, holder)) from None
        self.forget(by, keys)
        keys = await self.get(by, demands[0])
        try:
            return await self._assume(identity, keys, demands)
        except CallError as error:
            raise FailureError(_failure(error, holder)) from None

    async def _assume(self, identity: Identity, keys: Keys, demands: Sequence[Demand]) -> Keys:
        found = await self._ask_sts(keys.sts_region, keys, demands, "assume_role", _role_request(identity))
        return replace(found, holder=identity.role_arn)

    async def _service_account_keys(self, identity: Identity, demands: Sequence[Demand]) -> Keys:
        token = await self._service_account_token(identity)
        holder = f"{identity.role_arn} (as {identity})"
        request = {"RoleArn": identity.role_arn, "RoleSessionName": _session_name(identity), "WebIdentityToken": token}
        region = sts_region(identity.role_arn, self._home)
        try:
            found = await self._ask_sts(region, None, demands, "assume_role_with_web_identity", request)
        except CallError as error:
            raise FailureError(_failure(error, holder)) from None
        return replace(found, holder=holder, principal=identity.principal)

    async def _ask_sts(
        self, region: str, keys: Keys | None, demands: Sequence[Demand], method: str, request: Mapping[str, Any]
    ) -> Keys:
        """Return the keys that STS answers with; raise CallError."""

        def call() -> Keys:
            client = self._clients.create("sts", region, keys)
            try:
                return _keys(getattr(client, method)(**request)["Credentials"], region)
            finally:
                client.close()

        async with self._queue.slot("sts", region, demands):
            return await self._calls.run(call, group=f"sts {region}", seconds=SECONDS)


def _failure(error: CallError, holder: str) -> Failure:
    return to_failure(error, principal=holder, doing="getting credentials")


def _keys(found: Mapping[str, Any], region: str) -> Keys:
    return Keys(
        access_key_id=found["AccessKeyId"],
        secret_access_key=found["SecretAccessKey"],
        session_token=found["SessionToken"],
        expires_at=found["Expiration"].astimezone(UTC),
        sts_region=region,
    )


def _role_request(identity: Identity) -> dict[str, Any]:
    session = identity.session
    request: dict[str, Any] = {
        "RoleArn": identity.role_arn,
        "RoleSessionName": _session_name(identity),
        "DurationSeconds": _MAX_CHAINED_SECONDS,
    }
    if session and session.external_id:
        request["ExternalId"] = session.external_id
    if session and session.source_identity:
        request["SourceIdentity"] = session.source_identity
    if session and session.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in session.tags]
    return request


def _session_name(identity: Identity) -> str:
    if identity.session:
        return identity.session.name
    return shortened("-".join(("pullkeeper", *identity.service_account)))
