"""Failed fetches are shared, retried with backoff, and never cost a token that is still good."""

import asyncio
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.tokens.token_cache import TokenCache
from tests.unit.tokens.fake_token_source import (
    DENIED,
    MINUTE,
    TEAM_A,
    THROTTLED,
    FakeTokenSource,
    fresh_token,
    sleep_until,
)
from testsupport.examples import EU, HOUR, US, scope, token
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now

INVALID = Failure(reason=Reason.CREDENTIALS_INVALID, message="InvalidIdentityToken")


@pytest.fixture
def source() -> FakeTokenSource:
    return FakeTokenSource()


@pytest.fixture
def tokens(source: FakeTokenSource) -> TokenCache:
    return TokenCache(source, rotation=Rotation(), clock=now, rng=FixedRandom())


async def test_no_fetch_starts_during_backoff(source: FakeTokenSource, tokens: TokenCache) -> None:
    """All callers share the failure: 50 namespaces cause no more calls than one."""
    source.outcome = DENIED
    failed = await tokens.get(scope(EU), TEAM_A)
    again = await asyncio.gather(*(tokens.get(scope(EU), TEAM_A) for _ in range(50)))
    assert len(source.calls) == 1
    assert all(result == failed for result in again)
    assert (failed.token, failed.failure) == (None, DENIED)
    assert failed.retry_at is not None
    assert failed.retry_at > now()


async def test_fetch_is_retried_after_backoff(source: FakeTokenSource, tokens: TokenCache) -> None:
    """At `retry_at` the next caller starts the next fetch."""
    source.outcome = THROTTLED
    failed = await tokens.get(scope(EU), TEAM_A)
    assert failed.retry_at is not None
    await sleep_until(failed.retry_at)
    source.outcome = fresh_token
    assert (await tokens.get(scope(EU), TEAM_A)).token is not None
    assert len(source.calls) == 2


async def test_failing_scope_does_not_affect_others(source: FakeTokenSource, tokens: TokenCache) -> None:
    """Regions are independent."""
    source.outcome = DENIED
    await tokens.get(scope(EU), TEAM_A)
    source.outcome = fresh_token
    assert (await tokens.get(scope(US), TEAM_A)).failure is None


@pytest.mark.parametrize(("failure", "waits"), [(THROTTLED, [1, 2, 4, 8]), (DENIED, [28.5, 57, 114, 228])])
async def test_backoff_grows_with_each_failure(
    source: FakeTokenSource, tokens: TokenCache, failure: Failure, waits: list[float]
) -> None:
    """A second, two, four …; from half a minute on if somebody has to grant a permission."""
    source.outcome = failure
    for wait in waits:
        result = await tokens.get(scope(EU), TEAM_A)
        assert result.retry_at == now() + timedelta(seconds=wait)
        await sleep_until(result.retry_at)


async def test_success_resets_the_backoff(source: FakeTokenSource, tokens: TokenCache) -> None:
    """The next failure starts with a short backoff again, and the last one is no longer reported."""
    source.outcome = THROTTLED
    for _ in range(2):
        await tokens.get(scope(EU), TEAM_A)
        await asyncio.sleep(100)
    source.outcome = fresh_token
    result = await tokens.get(scope(EU), TEAM_A)
    assert (result.failure, result.retry_at) == (None, None)
    source.outcome = THROTTLED
    failed = await tokens.get(scope(EU), TEAM_A, not_before=now())
    assert failed.retry_at == now() + timedelta(seconds=1)


async def test_unexpired_token_is_returned_with_the_failure(source: FakeTokenSource, tokens: TokenCache) -> None:
    """While no younger one can be fetched, the last one is used until it expires."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    assert first is not None
    source.outcome = THROTTLED
    await sleep_until(first.expires_at - MINUTE)
    result = await tokens.get(scope(EU), TEAM_A)
    assert (result.token, result.failure) == (first, THROTTLED)
    await sleep_until(first.expires_at)
    result = await tokens.get(scope(EU), TEAM_A)
    assert (result.token, result.failure) == (None, THROTTLED)


async def test_backoff_shrinks_as_the_token_nears_its_expiry(source: FakeTokenSource, tokens: TokenCache) -> None:
    """Even a denial is retried within a tenth of the time that the cached token has left."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    assert first is not None
    source.outcome = DENIED
    await sleep_until(first.expires_at - MINUTE)
    result = await tokens.get(scope(EU), TEAM_A)
    assert result.retry_at is not None
    assert result.retry_at - now() == timedelta(seconds=5.9)


async def test_failed_request_for_a_fresh_token_affects_only_its_caller(
    source: FakeTokenSource, tokens: TokenCache
) -> None:
    """Callers that need no fresh token get the cached one, without a failure."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    source.outcome = THROTTLED
    requested = await tokens.get(scope(EU), TEAM_A, not_before=now())
    assert (requested.token, requested.failure) == (first, THROTTLED)
    other = await tokens.get(scope(EU), TEAM_A)
    assert (other.token, other.failure) == (first, None)
    assert len(source.calls) == 2


async def test_requests_for_a_fresh_token_obey_the_backoff(source: FakeTokenSource, tokens: TokenCache) -> None:
    """However often somebody changes the request, AWS is asked ever less often, as for a transient failure."""
    source.outcome = DENIED
    for _ in range(6000):
        assert (await tokens.get(scope(EU), TEAM_A, not_before=now())).failure == DENIED
        await asyncio.sleep(0.1)
    assert len(source.calls) == 24
    source.outcome = fresh_token
    await asyncio.sleep(60)
    assert (await tokens.get(scope(EU), TEAM_A, not_before=now())).token is not None


async def test_request_after_a_fix_need_not_wait_for_the_slow_retry(
    source: FakeTokenSource, tokens: TokenCache
) -> None:
    """A denial is retried slowly; whoever has fixed it may ask, and is told when that will be tried."""
    source.outcome = DENIED
    since = now()
    await tokens.get(scope(EU), TEAM_A, not_before=since)
    early = await tokens.get(scope(EU), TEAM_A, not_before=now())
    assert early.retry_at == now() + timedelta(seconds=1)
    source.outcome = fresh_token
    await sleep_until(early.retry_at)
    old = await tokens.get(scope(EU), TEAM_A, not_before=since)
    assert old.failure == DENIED
    assert (await tokens.get(scope(EU), TEAM_A, not_before=now())).token is not None
    assert len(source.calls) == 2


async def test_what_may_pass_within_seconds_costs_seconds(source: FakeTokenSource, tokens: TokenCache) -> None:
    """A projected token that is just being replaced, a provider that is just being made: no wait of half a minute."""
    source.outcome = INVALID
    began = now()
    for _ in range(3):
        failed = await tokens.get(scope(EU), TEAM_A)
        assert failed.retry_at is not None
        await sleep_until(failed.retry_at)
    source.outcome = fresh_token
    assert (await tokens.get(scope(EU), TEAM_A)).token is not None
    assert now() - began <= timedelta(seconds=12)  # of which four are the fetches
    assert len(source.calls) == 4


async def test_what_does_not_pass_is_retried_slowly(source: FakeTokenSource, tokens: TokenCache) -> None:
    """After a few attempts it is clear that somebody has to act."""
    source.outcome = INVALID
    began = now()
    while now() - began < HOUR:
        failed = await tokens.get(scope(EU), TEAM_A)
        assert failed.retry_at is not None
        await sleep_until(failed.retry_at)
    assert len(source.calls) == 3 + 16


async def test_token_that_is_expired_on_arrival_is_a_failure(source: FakeTokenSource, tokens: TokenCache) -> None:
    """It is never returned, and failures with different expiry times are equal."""
    failures = []
    for hours in (1, 20):
        source.outcome = lambda hours=hours: token(issued=now() - hours * HOUR, life=HOUR)
        await asyncio.sleep(MINUTE.total_seconds())
        result = await tokens.get(scope(EU), TEAM_A)
        assert result.token is None
        failures.append(result.failure)
    assert failures[0] is not None
    assert failures[0].reason is Reason.TOKEN_EXPIRED
    assert failures[0] == failures[1]
    assert "clock of this node" in failures[0].message


async def test_expired_arrival_leaves_the_cached_token(source: FakeTokenSource, tokens: TokenCache) -> None:
    """A worse token never replaces a better one."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    source.outcome = lambda: fresh_token(timedelta())
    result = await tokens.get(scope(EU), TEAM_A, not_before=now())
    assert result.token is first
    assert result.failure is not None
