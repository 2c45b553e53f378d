"""Tokens when ECR fails: remembered for all, tried again in time, and never worse than what is there."""

import asyncio
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.tokens.token_cache import TokenCache
from tests.unit.tokens.token_source import DENIED, MINUTE, THROTTLED, Source, until, young
from testsupport.examples import EU, HOUR, US, scope, token
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def tokens(source: Source) -> TokenCache:
    return TokenCache(source, rotation=Rotation(), clock=now, chance=FixedRandom())


async def test_after_a_failure_nobody_asks_before_its_time(source: Source, tokens: TokenCache) -> None:
    """A failure is remembered for all: 50 namespaces make no more calls than one."""
    source.outcome = DENIED
    failed = await tokens.get(scope(EU))
    again = await asyncio.gather(*(tokens.get(scope(EU)) for _ in range(50)))
    assert len(source.calls) == 1
    assert all(answer == failed for answer in again)
    assert (failed.token, failed.failure) == (None, DENIED)
    assert failed.retry_at is not None
    assert failed.retry_at > now()


async def test_from_its_time_on_one_call_is_made(source: Source, tokens: TokenCache) -> None:
    """At `retry_at` the next one who asks makes the next call."""
    source.outcome = THROTTLED
    failed = await tokens.get(scope(EU))
    assert failed.retry_at is not None
    await until(failed.retry_at)
    source.outcome = young
    assert (await tokens.get(scope(EU))).token is not None
    assert len(source.calls) == 2


async def test_a_failure_of_one_scope_holds_no_other_back(source: Source, tokens: TokenCache) -> None:
    """Regions are independent."""
    source.outcome = DENIED
    await tokens.get(scope(EU))
    source.outcome = young
    assert (await tokens.get(scope(US))).failure is None


@pytest.mark.parametrize(("failure", "waits"), [(THROTTLED, [1, 2, 4, 8]), (DENIED, [28.5, 57, 114, 228])])
async def test_waits_grow_with_each_failure(
    source: Source, tokens: TokenCache, failure: Failure, waits: list[float]
) -> None:
    """A second, two, four …; half a minute, a minute … where somebody has to grant something."""
    source.outcome = failure
    for wait in waits:
        answer = await tokens.get(scope(EU))
        assert answer.retry_at == now() + timedelta(seconds=wait)
        await until(answer.retry_at)


async def test_a_success_forgets_the_failures(source: Source, tokens: TokenCache) -> None:
    """After a recovery the next trouble begins with a short wait again, and nothing is said of the last one."""
    source.outcome = THROTTLED
    for _ in range(2):
        await tokens.get(scope(EU))
        await asyncio.sleep(100)
    source.outcome = young
    answer = await tokens.get(scope(EU))
    assert (answer.failure, answer.retry_at) == (None, None)
    source.outcome = THROTTLED
    failed = await tokens.get(scope(EU), since=now())
    assert failed.retry_at == now() + timedelta(seconds=1)


async def test_an_unexpired_token_is_better_than_none(source: Source, tokens: TokenCache) -> None:
    """When no younger one can be had, the last is given with the failure, until it dies."""
    first = (await tokens.get(scope(EU))).token
    assert first is not None
    source.outcome = THROTTLED
    await until(first.expires_at - MINUTE)
    answer = await tokens.get(scope(EU))
    assert (answer.token, answer.failure) == (first, THROTTLED)
    await until(first.expires_at)
    answer = await tokens.get(scope(EU))
    assert (answer.token, answer.failure) == (None, THROTTLED)


async def test_the_less_life_is_left_the_sooner_the_next_try(source: Source, tokens: TokenCache) -> None:
    """Even a denial is tried again within a tenth of the life that the held token has left."""
    first = (await tokens.get(scope(EU))).token
    assert first is not None
    source.outcome = DENIED
    await until(first.expires_at - MINUTE)
    answer = await tokens.get(scope(EU))
    assert answer.retry_at is not None
    assert answer.retry_at - now() == timedelta(seconds=5.9)


async def test_a_failed_request_for_a_fresh_token_spoils_nothing(source: Source, tokens: TokenCache) -> None:
    """Whoever needs no fresh one goes on with the young token that is there, without a failure."""
    first = (await tokens.get(scope(EU))).token
    source.outcome = THROTTLED
    asked = await tokens.get(scope(EU), since=now())
    assert (asked.token, asked.failure) == (first, THROTTLED)
    other = await tokens.get(scope(EU))
    assert (other.token, other.failure) == (first, None)
    assert len(source.calls) == 2


async def test_a_request_younger_than_the_failure_is_tried_at_once(source: Source, tokens: TokenCache) -> None:
    """Whoever has just mended something and says so need not wait; those who said so before wait on."""
    source.outcome = DENIED
    since = now()
    await tokens.get(scope(EU), since=since)
    await asyncio.sleep(5)
    assert (await tokens.get(scope(EU), since=since)).failure == DENIED
    source.outcome = young
    assert (await tokens.get(scope(EU), since=now())).token is not None
    assert len(source.calls) == 2


async def test_a_token_that_has_expired_on_arrival_is_a_failure(source: Source, tokens: TokenCache) -> None:
    """It is never given out; the same trouble again is the same failure, whenever the token died."""
    failures = []
    for hours in (1, 20):
        source.outcome = lambda hours=hours: token(issued=now() - hours * HOUR, life=HOUR)
        answer = await tokens.get(scope(EU), since=now())
        assert answer.token is None
        failures.append(answer.failure)
    assert failures[0] is not None
    assert failures[0].reason is Reason.TOKEN_EXPIRED
    assert failures[0] == failures[1]
    assert "clock of this node" in failures[0].message


async def test_an_expired_arrival_leaves_the_held_token(source: Source, tokens: TokenCache) -> None:
    """What is worse never takes the place of what is there."""
    first = (await tokens.get(scope(EU))).token
    source.outcome = lambda: young(timedelta())
    answer = await tokens.get(scope(EU), since=now())
    assert answer.token is first
    assert answer.failure is not None
