"""Which token for whom: shared by all that may use it, fetched once at a time, replaced when it is due."""

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


class TokenSource(Protocol):
    """Whoever issues tokens: AWS, or what plays it."""

    async def fetch(self, scope: TokenScope) -> Token:
        """Fetch a new token; raises FailureError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenResult:
    """The best token that can be had now, and what went wrong if a younger one should have been there."""

    token: Token | None = None
    failure: Failure | None = None
    retry_at: datetime | None = None
    excluded: frozenset[RegistryHost] = frozenset()
    """Registries that are not to get the token: what they have stays."""


_PATIENCE = timedelta(seconds=2)
"""A call that takes longer holds nobody up: the registries of other regions are written meanwhile."""
_SLACK = 64
_UNHURRIED = 2
"""Who was not waited for comes back after up to 2**2 seconds, each at a moment of its own; in an outage, less often."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True, slots=True)
class _Entry:
    """What is known of one scope."""

    token: Token | None = None
    failure: Failure | None = None
    failures: int = 0
    began_at: datetime = _NEVER
    """When the last call was begun."""
    asked_at: datetime = _NEVER
    """When the last call that has ended was begun: whatever it brought is as fresh as that."""
    retry_at: datetime = _NEVER
    flight: asyncio.Task[None] | None = None


class TokenCache:
    """All tokens of the process."""

    def __init__(
        self,
        source: TokenSource,
        *,
        rotation: Rotation,
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._source = source
        self._rotation = rotation
        self._clock = clock
        self._chance = chance
        self._shelves: dict[TokenScope, _Entry] = {}
        self._swept = 0
        """So many were left by the last sweep; the next one comes when there are twice as many."""

    async def get(self, scope: TokenScope, *, since: datetime | None = None) -> TokenResult:
        """Give a token that is not due yet; with `since`, one that was fetched after that moment.

        Callers that ask at the same time share one call; after a failure none is made before `retry_at`, whoever asks,
        unless `since` is younger than the failure. A call that takes long is not waited for: `retry_at` then says when
        to ask again, with no failure yet.
        """
        if scope not in self._shelves:
            self._sweep()
        shelf = self._shelves.setdefault(scope, _Entry())
        while not self._serves(shelf, since) and not self._hopeless(shelf, since):
            flight = shelf.flight or self._take_off(scope, shelf)
            patience = shelf.began_at + _PATIENCE - self._clock()
            # The call is shared: whoever stops waiting does not end it for the others.
            await asyncio.wait([flight], timeout=max(patience.total_seconds(), 0))
            if not flight.done():
                return self._still_waiting(shelf)
            flight.result()
            if since is None or shelf.asked_at >= since:
                break
        return self._answer(shelf, since)

    def peek(self, scope: TokenScope) -> Token | None:
        """Give the token that is there, without asking for one."""
        shelf = self._shelves.get(scope)
        return self._alive(shelf) if shelf else None

    def _still_waiting(self, shelf: _Entry) -> TokenResult:
        again = self._clock() + retry_delay(max(_UNHURRIED, shelf.failures), self._chance.random())
        return TokenResult(token=self._alive(shelf), failure=shelf.failure, retry_at=again)

    def _sweep(self) -> None:
        """Forget scopes that nobody has asked for since their token died: identities come and go."""
        if len(self._shelves) < 2 * self._swept + _SLACK:
            return
        now = self._clock()
        for scope, shelf in list(self._shelves.items()):
            if shelf.flight is None and self._alive(shelf) is None and now >= shelf.retry_at:
                del self._shelves[scope]
        self._swept = len(self._shelves)

    def _take_off(self, scope: TokenScope, shelf: _Entry) -> asyncio.Task[None]:
        shelf.began_at = self._clock()
        shelf.flight = asyncio.create_task(self._fetch(scope, shelf))
        return shelf.flight

    def _serves(self, shelf: _Entry, since: datetime | None) -> bool:
        token = shelf.token
        if token is None or self._clock() >= self._rotation.usable_until(token):
            return False
        return since is None or (shelf.failure is None and shelf.asked_at >= since)

    def _hopeless(self, shelf: _Entry, since: datetime | None) -> bool:
        if shelf.flight is not None or shelf.failure is None or self._clock() >= shelf.retry_at:
            return False
        return since is None or shelf.asked_at >= since

    async def _fetch(self, scope: TokenScope, shelf: _Entry) -> None:
        try:
            token = await self._source.fetch(scope)
        except FailureError as error:
            self._remember(scope, shelf, error.failure)
        else:
            self._put(scope, shelf, token)
        finally:
            shelf.flight, shelf.asked_at = None, shelf.began_at

    def _put(self, scope: TokenScope, shelf: _Entry, token: Token) -> None:
        if token.expires_at <= self._clock():
            self._remember(scope, shelf, _expired(scope, token))
        else:
            shelf.token, shelf.failure, shelf.failures = token, None, 0

    def _remember(self, scope: TokenScope, shelf: _Entry, failure: Failure) -> None:
        now = self._clock()
        left = shelf.token.expires_at - now if shelf.token else None
        shelf.failures += 1
        shelf.failure = replace(failure, identity=scope.identity.name, region=scope.label)
        shelf.retry_at = now + retry_delay(
            shelf.failures,
            self._chance.random(),
            denied=failure.reason.requires_action,
            left=left if left and left > timedelta() else None,
        )

    def _answer(self, shelf: _Entry, since: datetime | None) -> TokenResult:
        token = self._alive(shelf)
        if shelf.failure is None or self._serves(shelf, since):
            return TokenResult(token=token)
        return TokenResult(token=token, failure=shelf.failure, retry_at=shelf.retry_at)

    def _alive(self, shelf: _Entry) -> Token | None:
        return shelf.token if shelf.token and shelf.token.expires_at > self._clock() else None


def _expired(scope: TokenScope, token: Token) -> Failure:
    message = (
        f"ECR in {scope.region} answered {scope.identity} with a token that has expired: "
        "check the clock of this node, and what stands between it and AWS"
    )
    detail = f"expired at {token.expires_at:%FT%TZ}"
    return Failure(reason=Reason.TOKEN_EXPIRED, message=message, detail=detail)
