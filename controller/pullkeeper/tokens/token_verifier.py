"""Which registry takes which token: each new one is tried there once, before anybody gets it for that registry."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import (
    ProbeResult,
    RegistryCredential,
    Verdict,
    is_verifiable,
    rejected_failure,
)
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.backoff import LONGEST_RETRY, retry_delay
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.secret.entries import NO_HOSTS
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.tokens.token_cache import TokenCache, TokenResult

logger = logging.getLogger(__name__)

Probe = Callable[[RegistryHost, Password], Awaitable[ProbeResult]]
"""Tries a token at a registry; it never raises, and what it takes is limited in time."""

_PATIENCE = timedelta(seconds=2)
"""A probe that takes longer holds nobody up: the other registries are written meanwhile."""
_UNHURRIED = 2
"""Who was not waited for comes back after up to 2**2 seconds, each at a moment of its own."""
_SLACK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class _Backoff:
    """A registry that refuses, or does not say, is not asked again before its time."""

    tries: int
    until: datetime
    why: str = ""


class UnverifiedTokens:
    """Gives tokens out as they come."""

    def __init__(self, tokens: TokenCache) -> None:
        self._tokens = tokens

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],  # noqa: ARG002 -- the protocol's
        *,
        since: datetime | None = None,
    ) -> TokenResult:
        """Give the best token that can be had."""
        return await self._tokens.get(scope, since=since)

    def revoked(self, held: SecretRecord) -> frozenset[RegistryHost]:  # noqa: ARG002 -- the protocol's
        """Nobody has looked."""
        return NO_HOSTS


class TokenVerifier:
    """Tries tokens at registries; what it knows of a token and a registry serves all namespaces."""

    def __init__(
        self,
        tokens: TokenCache,
        probe: Probe,
        *,
        clock: Callable[[], datetime],
        chance: random.Random,
        meter: Callable[[str], None],
    ) -> None:
        self._tokens = tokens
        self._probe = probe
        self._clock = clock
        self._chance = chance
        self._meter = meter
        self._verdicts: dict[RegistryCredential, Verdict] = {}
        self._good: set[tuple[TokenScope, TokenValidity]] = set()
        """Tokens that some registry accepts: where another one refuses, the token is not at fault."""
        self._dead: set[RegistryCredential] = set()
        """What is published and refused."""
        self._flights: dict[RegistryCredential, asyncio.Task[Verdict]] = {}
        self._refusing: dict[tuple[Identity, RegistryHost], _Backoff] = {}
        self._silent: dict[RegistryHost, _Backoff] = {}
        self._swept = 0

    async def get(
        self, scope: TokenScope, hosts: Iterable[RegistryHost], *, since: datetime | None = None
    ) -> TokenResult:
        """Give the best token that can be had, and tell which of the scope's registries are not to get it.

        A token that no registry takes is replaced after a pause; one that only some refuse is tried there again.
        Registries that do not say whether they take it get it all the same.
        """
        ours = [host for host in hosts if TokenScope.of(host, scope.identity) == scope]
        answer = await self._tokens.get(scope, since=since)
        if answer.token and (wanted := self._wanted_since(scope, ours, answer.token)):
            answer = await self._tokens.get(scope, since=max(wanted, since or wanted))
        if answer.token is None:
            # A neighbour's entry might do, but nobody has tried it there.
            return replace(answer, excluded=frozenset(ours))
        return self._judged(scope, answer, await self._try(_uses(scope, ours, answer.token), answer.token.auth))

    def revoked(self, held: SecretRecord) -> frozenset[RegistryHost]:
        """Tell which registries refuse by now what a Secret holds for them."""
        return frozenset(use.host for use in held.credentials if use in self._dead) if self._dead else NO_HOSTS

    async def revalidate(self, use: RegistryCredential, auth: Password) -> bool:
        """Try a published token again; tells whether its registry refuses it and nobody knew yet."""
        if not is_verifiable(use.host) or self._pausing(self._silent.get(use.host)):
            return False
        found = await self._ask(use, auth)
        if found.verdict is Verdict.ACCEPTED:
            self._dead.discard(use)
        if found.verdict is not Verdict.REJECTED or use in self._dead:
            return False
        self._dead.add(use)
        # Its replacement is wanted now, and a pause comes only where that is refused as well.
        before = self._refusing.get((use.identity, use.host)) or _Backoff(tries=0, until=self._clock())
        self._refusing[use.identity, use.host] = replace(before, until=max(before.until, self._clock()), why=found.why)
        return True

    def _wanted_since(self, scope: TokenScope, hosts: Iterable[RegistryHost], token: Token) -> datetime | None:
        """Tell since when a token is wanted in the place of one that is of no use; the same for all who ask."""
        spent = [use for use in _uses(scope, hosts, token) if self._spent(use)]
        pauses = [pause for use in spent if (pause := self._refusing.get((use.identity, use.host)))]
        return max((pause.until for pause in pauses if not self._pausing(pause)), default=None)

    def _spent(self, use: RegistryCredential) -> bool:
        refused = self._verdicts.get(use) is Verdict.REJECTED
        return use in self._dead or (refused and (use.scope, use.validity) not in self._good)

    def _judged(
        self, scope: TokenScope, answer: TokenResult, verdicts: Mapping[RegistryCredential, Verdict | None]
    ) -> TokenResult:
        refused = {use.host for use, verdict in verdicts.items() if verdict is Verdict.REJECTED}
        waiting = {use.host for use, verdict in verdicts.items() if verdict is None}
        if not refused and not waiting:
            return answer
        now = self._clock()
        pauses = {host: pause for host in refused if (pause := self._refusing.get((scope.identity, host)))}
        moments = [pause.until for pause in pauses.values() if pause.until > now]
        if waiting:
            moments.append(now + retry_delay(_UNHURRIED, self._chance.random()))
        if answer.retry_at:
            moments.append(answer.retry_at)
        refusals = {host: pauses[host].why if host in pauses else "" for host in refused}
        return replace(
            answer,
            failure=answer.failure or (rejected_failure(scope, refusals) if refusals else None),
            retry_at=min(moments, default=now + LONGEST_RETRY),
            excluded=frozenset(refused | waiting),
        )

    async def _try(
        self, uses: Iterable[RegistryCredential], auth: Password
    ) -> dict[RegistryCredential, Verdict | None]:
        """Give the verdict of each registry, None where it is still awaited."""
        found = {use: self._known(use) for use in uses}
        flights = {use: self._flight(use, auth) for use, verdict in found.items() if verdict is None}
        if flights:
            # A probe is shared: whoever stops waiting does not end it for the others.
            await asyncio.wait(flights.values(), timeout=_PATIENCE.total_seconds())
        return found | {use: flight.result() for use, flight in flights.items() if flight.done()}

    def _known(self, use: RegistryCredential) -> Verdict | None:
        verdict = self._verdicts.get(use)
        if verdict is Verdict.REJECTED:
            pausing = self._pausing(self._refusing.get((use.identity, use.host)))
            return verdict if pausing or self._spent(use) else None
        if verdict is None and not is_verifiable(use.host):
            return self._learn(use, Verdict.SKIPPED)
        if verdict is None and self._pausing(self._silent.get(use.host)):
            return Verdict.UNREACHABLE
        return verdict

    def _flight(self, use: RegistryCredential, auth: Password) -> asyncio.Task[Verdict]:
        if use not in self._flights:
            self._flights[use] = asyncio.create_task(self._fly(use, auth))
        return self._flights[use]

    async def _fly(self, use: RegistryCredential, auth: Password) -> Verdict:
        try:
            found = await self._ask(use, auth)
        finally:
            del self._flights[use]
        # What was refused before is not published for it because the registry is silent now.
        verdict = self._verdicts.get(use, found.verdict)
        pair = use.identity, use.host
        if verdict is Verdict.ACCEPTED:
            self._refusing.pop(pair, None)
        elif verdict is Verdict.REJECTED:
            left = use.validity.expires_at - self._clock()
            self._refusing[pair] = self._pause(self._refusing.get(pair), left=left, why=found.why)
        return verdict

    async def _ask(self, use: RegistryCredential, auth: Password) -> ProbeResult:
        found = await self._probe(use.host, auth)
        verdict = self._learn(use, found.verdict)
        if verdict is Verdict.UNREACHABLE:
            silence = self._silent.get(use.host)
            if silence is None:
                said = "registry %s does not say whether it takes tokens (%s): they are published unverified"
                logger.warning(said, use.host, found.why)
            self._silent[use.host] = self._pause(silence)
        elif self._silent.pop(use.host, None):
            logger.info("registry %s answers again: tokens are verified", use.host)
        if verdict is Verdict.ACCEPTED:
            self._good.add((use.scope, use.validity))
        return found

    def _learn(self, use: RegistryCredential, verdict: Verdict) -> Verdict:
        self._meter(verdict.value)
        if verdict is not Verdict.UNREACHABLE:
            self._sweep()
            self._verdicts[use] = verdict
        return verdict

    def _pause(self, before: _Backoff | None, *, left: timedelta | None = None, why: str = "") -> _Backoff:
        tries = before.tries + 1 if before else 1
        delay = retry_delay(tries, self._chance.random(), denied=True, left=left)
        return _Backoff(tries=tries, until=self._clock() + delay, why=why)

    def _pausing(self, pause: _Backoff | None) -> bool:
        return pause is not None and self._clock() < pause.until

    def _sweep(self) -> None:
        """Forget tokens that have died of age."""
        if len(self._verdicts) < 2 * self._swept + _SLACK:
            return
        now = self._clock()
        self._verdicts = {use: verdict for use, verdict in self._verdicts.items() if use.validity.expires_at > now}
        self._good = {(scope, times) for scope, times in self._good if times.expires_at > now}
        self._dead = {use for use in self._dead if use.validity.expires_at > now}
        pairs = {(use.identity, use.host) for use in self._verdicts}
        self._refusing = {pair: pause for pair, pause in self._refusing.items() if pair in pairs}
        self._swept = len(self._verdicts)


def _uses(scope: TokenScope, hosts: Iterable[RegistryHost], token: Token) -> list[RegistryCredential]:
    return [RegistryCredential(identity=scope.identity, host=host, validity=token.validity) for host in hosts]
