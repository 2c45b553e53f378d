"""ECR tokens in memory: one per scope, fetched once for all its namespaces, replaced shortly before it is due."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.tokens.demand import Demand, Requester


class TokenSource(Protocol):
    """Issues tokens: AWS, or a fake of it."""

    async def fetch(self, scope: TokenScope, demand: Demand) -> Token:
        """Fetch a new token for those who wait for it, which may become more; raise FailureError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenResult:
    """The best token available, and why there is no better one."""

    token: Token | None = None
    failure: Failure | None = None
    retry_at: datetime | None = None
    excluded: frozenset[RegistryHost] = frozenset()
    """Registries that must not get the token: they keep the entry that they have."""


_MAX_WAIT = timedelta(seconds=2)
"""Callers stop waiting for a fetch that takes longer, so that the registries of other regions are written meanwhile."""
_SLOW_FETCH_ATTEMPT = 2
"""Callers that stop waiting retry after a random delay of up to 4 s (2**2), longer while fetches keep failing."""
_SWEEP_SLACK = 64
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True, slots=True)
class _Entry:
    """The cached token of one scope, and how its last fetch went."""

    token: Token | None = None
    failure: Failure | None = None
    failures: int = 0
    started_at: datetime = _NEVER
    """Start of the last fetch."""
    fetched_at: datetime = _NEVER
    """Start of the last fetch that has ended: its result is no older than this."""
    retry_at: datetime = _NEVER
    request_retry_at: datetime = _NEVER
    """When a request for a fresh token may be tried that is younger than the failure: somebody may have fixed it."""
    in_flight: asyncio.Task[None] | None = None
    demand: Demand | None = None
    """Who waits for the fetch in flight."""


class TokenCache:
    """All tokens of the process."""

    def __init__(
        self,
        source: TokenSource,
        *,
        rotation: Rotation,
        clock: Callable[[], datetime],
        rng: random.Random,
        on_fetch: Callable[[str], None] = lambda _namespace: None,
    ) -> None:
        """Make an empty cache; `on_fetch` is called with the namespace for which a fetch is started."""
        self._source = source
        self._rotation = rotation
        self._clock = clock
        self._rng = rng
        self._on_fetch = on_fetch
        self._entries: dict[TokenScope, _Entry] = {}
        self._swept = 0
        """Entries left by the last sweep; the next one comes once there are twice as many."""

    async def get(self, scope: TokenScope, requester: Requester, *, not_before: datetime | None = None) -> TokenResult:
        """Return a token that is not due for rotation and, with `not_before`, was fetched no earlier than that.

        Concurrent callers share one fetch. After a failure no fetch starts before `retry_at`; a `not_before` that is
        later than the failed fetch shortens that, but not below the backoff of a transient failure. A slow fetch is
        left to finish in the background: the result then has the token at hand, no new failure, and a `retry_at`.
        """
        if (entry := self._entries.get(scope)) is None:
            self._sweep()
            entry = self._entries[scope] = _Entry()
        while not self._is_usable(entry, not_before) and not self._in_backoff(entry, not_before):
            fetch = self._join_fetch(scope, entry, requester)
            wait = entry.started_at + _MAX_WAIT - self._clock()
            # asyncio.wait does not cancel the fetch together with this caller: others share it.
            await asyncio.wait([fetch], timeout=max(wait.total_seconds(), 0))
            if not fetch.done():
                return self._still_fetching(entry)
            fetch.result()
            if not_before is None or entry.fetched_at >= not_before:
                break
        return self._result(entry, not_before)

    def peek(self, scope: TokenScope) -> Token | None:
        """Return the unexpired token of a scope, without fetching one."""
        entry = self._entries.get(scope)
        return self._unexpired(entry) if entry else None

    def _still_fetching(self, entry: _Entry) -> TokenResult:
        retry_at = self._clock() + retry_delay(max(_SLOW_FETCH_ATTEMPT, entry.failures), self._rng.random())
        return TokenResult(token=self._unexpired(entry), failure=entry.failure, retry_at=retry_at)

    def _sweep(self) -> None:
        """Drop the scopes that nobody has asked for since their token expired."""
        if len(self._entries) < 2 * self._swept + _SWEEP_SLACK:
            return
        now = self._clock()
        for scope, entry in list(self._entries.items()):
            if entry.in_flight is None and self._unexpired(entry) is None and now >= entry.retry_at:
                del self._entries[scope]
        self._swept = len(self._entries)

    def _is_usable(self, entry: _Entry, not_before: datetime | None) -> bool:
        token = entry.token
        if token is None or self._clock() >= self._rotation.usable_until(token):
            return False
        return not_before is None or (entry.failure is None and entry.fetched_at >= not_before)

    def _in_backoff(self, entry: _Entry, not_before: datetime | None) -> bool:
        if entry.in_flight is not None or entry.failure is None:
            return False
        return self._clock() < self._retry_at(entry, not_before)

    def _retry_at(self, entry: _Entry, not_before: datetime | None) -> datetime:
        is_younger = not_before is not None and not_before > entry.fetched_at
        return entry.request_retry_at if is_younger else entry.retry_at

    def _join_fetch(self, scope: TokenScope, entry: _Entry, requester: Requester) -> asyncio.Task[None]:
        """Return the fetch in flight, or a new one, which from now on has this requester too."""
        if entry.in_flight is not None and entry.demand is not None:
            entry.demand.add(requester)
            return entry.in_flight
        self._on_fetch(requester.namespace)
        entry.started_at, entry.demand = self._clock(), Demand(requester)
        entry.in_flight = asyncio.create_task(self._fetch(scope, entry, entry.demand))
        return entry.in_flight

    async def _fetch(self, scope: TokenScope, entry: _Entry, demand: Demand) -> None:
        try:
            token = await self._source.fetch(scope, demand)
        except FailureError as error:
            self._record_failure(scope, entry, error.failure)
        else:
            self._record_token(scope, entry, token)
        finally:
            entry.in_flight, entry.demand, entry.fetched_at = None, None, entry.started_at

    def _record_token(self, scope: TokenScope, entry: _Entry, token: Token) -> None:
        if token.expires_at <= self._clock():
            self._record_failure(scope, entry, _expired_failure(scope, token))
        else:
            entry.token, entry.failure, entry.failures = token, None, 0

    def _record_failure(self, scope: TokenScope, entry: _Entry, failure: Failure) -> None:
        now, token = self._clock(), self._unexpired(entry)
        entry.failures += 1
        entry.failure = replace(failure, identity=scope.identity.name, region=scope.label)
        left, draw = token.expires_at - now if token else None, self._rng.random()
        reason = failure.reason
        entry.retry_at = now + retry_delay(
            entry.failures, draw, requires_action=reason.requires_action, may_pass=reason.may_pass, left=left
        )
        entry.request_retry_at = min(entry.retry_at, now + retry_delay(entry.failures, draw, left=left))

    def _result(self, entry: _Entry, not_before: datetime | None) -> TokenResult:
        token = self._unexpired(entry)
        if entry.failure is None or self._is_usable(entry, not_before):
            return TokenResult(token=token)
        return TokenResult(token=token, failure=entry.failure, retry_at=self._retry_at(entry, not_before))

    def _unexpired(self, entry: _Entry) -> Token | None:
        return entry.token if entry.token and entry.token.expires_at > self._clock() else None


def _expired_failure(scope: TokenScope, token: Token) -> Failure:
    message = (
        f"ECR in {scope.region} returned an expired token to {scope.identity}: check the clock of this node, and any "
        "proxy between it and AWS"
    )
    detail = f"expired at {token.expires_at:%FT%TZ}"
    return Failure(reason=Reason.TOKEN_EXPIRED, message=message, detail=detail)
