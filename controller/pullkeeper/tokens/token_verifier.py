"""Tokens verified at their registries: each new one is probed there once, before it is published for that registry."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pullkeeper.domain.ecr.credential import Password, Token
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
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.registry_state import Backoff, RegistryStates
from pullkeeper.tokens.token_cache import TokenCache, TokenResult

logger = logging.getLogger(__name__)

Probe = Callable[[RegistryHost, Password], Awaitable[ProbeResult]]
"""Tries a token at a registry, in limited time and without raising."""

_MAX_WAIT = timedelta(seconds=2)
"""Callers stop waiting for a probe that takes longer, so that the other registries are written meanwhile."""
_SLOW_PROBE_ATTEMPT = 2
"""Callers that stop waiting retry after a random delay of up to 4 s (2**2)."""


class UnverifiedTokens:
    """Hands out tokens without verification."""

    def __init__(self, tokens: TokenCache) -> None:
        self._tokens = tokens

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],  # noqa: ARG002 -- part of the protocol
        requester: Requester,
        *,
        not_before: datetime | None = None,
    ) -> TokenResult:
        """Return the best token available; see TokenCache.get."""
        return await self._tokens.get(scope, requester, not_before=not_before)

    def revoked(
        self,
        namespace: str,  # noqa: ARG002 -- part of the protocol
        identities: Mapping[RegistryHost, Identity],  # noqa: ARG002 -- part of the protocol
        record: SecretRecord,  # noqa: ARG002 -- part of the protocol
    ) -> frozenset[RegistryHost]:
        """Return no host: nothing is verified."""
        return NO_HOSTS


class TokenVerifier:
    """Probes tokens at registries, and shares each verdict among all namespaces."""

    def __init__(
        self,
        tokens: TokenCache,
        probe: Probe,
        *,
        clock: Callable[[], datetime],
        rng: random.Random,
        record_probe: Callable[[str], None],
    ) -> None:
        self._tokens = tokens
        self._probe = probe
        self._clock = clock
        self._rng = rng
        self._record_probe = record_probe
        self._states = RegistryStates(clock)

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],
        requester: Requester,
        *,
        not_before: datetime | None = None,
    ) -> TokenResult:
        """Return the best token available, and which of the scope's registries must not get it.

        A token that no registry accepts is replaced after a backoff; one that only some refuse is probed there again.
        An unreachable registry gets the token unverified.
        """
        own = [host for host in hosts if TokenScope.of(host, scope.identity) == scope]
        result = await self._tokens.get(scope, requester, not_before=not_before)
        if result.token and (replaced := self._replacement_not_before(scope, own, result.token)):
            result = await self._tokens.get(scope, requester, not_before=max(replaced, not_before or replaced))
        if result.token is None:
            # Another registry's entry might do, but it has not been tried at these.
            return replace(result, excluded=frozenset(own))
        verdicts = await self._verify(_credentials(scope, own, result.token), result.token.auth)
        return self._with_verdicts(scope, result, verdicts)

    def revoked(
        self, namespace: str, identities: Mapping[RegistryHost, Identity], record: SecretRecord
    ) -> frozenset[RegistryHost]:
        """Return the registries that are known to refuse what a namespace's Secret holds for them.

        `identities` are those that are desired for its registries; any other registry is not judged.
        """
        return frozenset(
            host
            for host, identity in identities.items()
            if host in record.held
            for holder in ("", namespace)
            if self._is_revoked(
                RegistryCredential(
                    scope=TokenScope.of(host, identity), host=host, validity=record.held[host], holder=holder
                )
            )
        )

    def _is_revoked(self, credential: RegistryCredential) -> bool:
        state = self._states.find(credential)
        return state is not None and state.revoked

    async def revalidate(self, credentials: Sequence[RegistryCredential], auth: Password) -> bool:
        """Probe a published token again at one registry; return whether it turns out to be revoked.

        The verdict counts for each of the credentials, which are of the same text and registry.
        """
        first = credentials[0]
        if not is_verifiable(first.host) or self._is_active(self._states.unreachable.get(first.host)):
            return False
        found = await self._probe_once(first, auth)
        revoked = [self._record_revalidation(each, found) for each in credentials]
        return any(revoked)

    def _record_revalidation(self, credential: RegistryCredential, found: ProbeResult) -> bool:
        """Record the verdict on a published token; return whether it is the first to say that it is revoked."""
        state, registry = self._states.credential(credential), self._states.registry(credential)
        if found.verdict is Verdict.ACCEPTED:
            state.revoked = False
        if found.verdict is not Verdict.REJECTED or state.revoked:
            return False
        state.revoked = True
        # It is replaced at once: the backoff begins only if the replacement is refused as well.
        now, before = self._clock(), registry.rejected
        registry.rejected = Backoff(
            attempts=before.attempts if before else 0, until=max(before.until, now) if before else now, why=found.why
        )
        return True

    def _replacement_not_before(
        self, scope: TokenScope, hosts: Iterable[RegistryHost], token: Token
    ) -> datetime | None:
        """Tell from when on a useless token may be replaced: the same for all callers, None while it may not."""
        useless = [each for each in _credentials(scope, hosts, token) if self._is_useless(each)]
        backoffs = [backoff for each in useless if (backoff := self._states.registry(each).rejected)]
        return max((backoff.until for backoff in backoffs if not self._is_active(backoff)), default=None)

    def _is_useless(self, credential: RegistryCredential) -> bool:
        """Whether a registry refuses a token that no other registry accepts, or that it accepted before."""
        state = self._states.credential(credential)
        refused = state.verdict is Verdict.REJECTED
        return state.revoked or (refused and not self._states.is_accepted(credential.scope, credential.validity))

    def _with_verdicts(
        self, scope: TokenScope, result: TokenResult, verdicts: Mapping[RegistryCredential, Verdict | None]
    ) -> TokenResult:
        refused = {
            each.host: self._states.registry(each).rejected
            for each, verdict in verdicts.items()
            if verdict is Verdict.REJECTED
        }
        pending = {each.host for each, verdict in verdicts.items() if verdict is None}
        if not refused and not pending:
            return result
        now = self._clock()
        retries = [backoff.until for backoff in refused.values() if backoff and backoff.until > now]
        if pending:
            retries.append(now + retry_delay(_SLOW_PROBE_ATTEMPT, self._rng.random()))
        if result.retry_at:
            retries.append(result.retry_at)
        refusals = {host: backoff.why if backoff else "" for host, backoff in refused.items()}
        return replace(
            result,
            failure=result.failure or (rejected_failure(scope, refusals) if refusals else None),
            retry_at=min(retries, default=now + LONGEST_RETRY),
            excluded=frozenset(refused.keys() | pending),
        )

    async def _verify(
        self, credentials: Iterable[RegistryCredential], auth: Password
    ) -> dict[RegistryCredential, Verdict | None]:
        """Return the verdict of each registry, None while its probe is still running."""
        verdicts = {each: self._known_verdict(each) for each in credentials}
        probes = {each: self._start_probe(each, auth) for each, verdict in verdicts.items() if verdict is None}
        if probes:
            # asyncio.wait does not cancel the probes together with this caller: others share them.
            await asyncio.wait(probes.values(), timeout=_MAX_WAIT.total_seconds())
        return verdicts | {each: probe.result() for each, probe in probes.items() if probe.done()}

    def _known_verdict(self, credential: RegistryCredential) -> Verdict | None:
        verdict = self._states.credential(credential).verdict
        if verdict is Verdict.REJECTED:
            stays = self._is_active(self._states.registry(credential).rejected) or self._is_useless(credential)
            return verdict if stays else None
        if verdict is None and not is_verifiable(credential.host):
            return self._record(credential, Verdict.SKIPPED)
        if verdict is None and self._is_active(self._states.unreachable.get(credential.host)):
            return Verdict.UNREACHABLE
        return verdict

    def _start_probe(self, credential: RegistryCredential, auth: Password) -> asyncio.Task[Verdict]:
        state = self._states.credential(credential)
        if state.probe is None:
            state.probe = asyncio.create_task(self._probe_new(credential, auth))
        return state.probe

    async def _probe_new(self, credential: RegistryCredential, auth: Password) -> Verdict:
        state, registry = self._states.credential(credential), self._states.registry(credential)
        try:
            found = await self._probe_once(credential, auth)
        finally:
            state.probe = None
        # A registry that refused the token before does not get it just because it is unreachable now.
        verdict = state.verdict or found.verdict
        if verdict is Verdict.ACCEPTED:
            registry.rejected = None
        elif verdict is Verdict.REJECTED:
            left = credential.validity.expires_at - self._clock()
            registry.rejected = self._next_backoff(registry.rejected, left=left, why=found.why)
        return verdict

    async def _probe_once(self, credential: RegistryCredential, auth: Password) -> ProbeResult:
        unreachable, host = self._states.unreachable, credential.host
        before = unreachable.get(host)
        found = await self._probe(host, auth)
        self._record(credential, found.verdict)
        if found.verdict is Verdict.UNREACHABLE:
            if host not in unreachable:
                logger.warning("registry %s: cannot verify tokens (%s): publishing them unverified", host, found.why)
            if unreachable.get(host) is before:  # probes of several identities at a time are one attempt
                unreachable[host] = self._next_backoff(before)
        elif unreachable.pop(host, None):
            logger.info("registry %s: reachable again: verifying tokens", host)
        return found

    def _record(self, credential: RegistryCredential, verdict: Verdict) -> Verdict:
        self._record_probe(verdict.value)
        if verdict is not Verdict.UNREACHABLE:
            self._states.credential(credential).verdict = verdict
        return verdict

    def _next_backoff(self, before: Backoff | None, *, left: timedelta | None = None, why: str = "") -> Backoff:
        attempts = before.attempts + 1 if before else 1
        delay = retry_delay(attempts, self._rng.random(), requires_action=True, left=left)
        return Backoff(attempts=attempts, until=self._clock() + delay, why=why)

    def _is_active(self, backoff: Backoff | None) -> bool:
        return backoff is not None and self._clock() < backoff.until


def _credentials(scope: TokenScope, hosts: Iterable[RegistryHost], token: Token) -> list[RegistryCredential]:
    return [RegistryCredential(scope=scope, host=host, validity=token.validity) for host in hosts]
