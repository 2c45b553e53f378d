"""Tokens are shared, fetched once at a time, and replaced before they are due."""

import asyncio
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_cache import TokenCache
from tests.unit.tokens.fake_token_source import TEAM_A, FakeTokenSource, fresh_token, sleep_until
from testsupport.examples import EU, HOUR, US, scope
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now, settle


@pytest.fixture
def source() -> FakeTokenSource:
    return FakeTokenSource()


@pytest.fixture
def tokens(source: FakeTokenSource) -> TokenCache:
    return TokenCache(source, rotation=Rotation(), clock=now, rng=FixedRandom())


async def test_concurrent_callers_share_one_fetch(source: FakeTokenSource, tokens: TokenCache) -> None:
    """However many namespaces need a token at the same time, ECR is asked once."""
    results = await asyncio.gather(*(tokens.get(scope(EU), TEAM_A) for _ in range(100)))
    assert len(source.calls) == 1
    assert len({id(result.token) for result in results}) == 1
    assert results[0].failure is None


async def test_fetch_tells_who_waits_for_it(source: FakeTokenSource, tokens: TokenCache) -> None:
    """Including those that come while it is under way; a bounded number of them by name."""
    rotations = [asyncio.create_task(tokens.get(scope(EU), TEAM_A)) for _ in range(2)]
    await asyncio.sleep(0.5)
    (demand,) = source.demands
    assert (demand.namespaces, demand.first) == (("team-a",), False)
    names = [f"team-{number}" for number in range(100)]
    others = [
        asyncio.create_task(tokens.get(scope(EU), Requester(namespace=name, first=name == "team-99"))) for name in names
    ]
    await asyncio.gather(*rotations, *others)
    assert demand.first
    assert demand.namespaces == ("team-a", *names[:15])
    assert len(source.calls) == 1


async def test_scopes_are_fetched_concurrently(source: FakeTokenSource, tokens: TokenCache) -> None:
    """One region does not wait for another."""
    started = now()
    await asyncio.gather(tokens.get(scope(EU), TEAM_A), tokens.get(scope(US), TEAM_A))
    assert source.calls == [scope(EU), scope(US)]
    assert now() - started == timedelta(seconds=1)


async def test_token_is_replaced_shortly_before_it_is_due(source: FakeTokenSource, tokens: TokenCache) -> None:
    """It is used for 95 % of the time to its rotation, then fetched anew once."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    assert first is not None
    await sleep_until(Rotation().usable_until(first) - timedelta(seconds=1))
    assert (await tokens.get(scope(EU), TEAM_A)).token is first
    await sleep_until(Rotation().usable_until(first))
    assert (await tokens.get(scope(EU), TEAM_A)).token is not first
    assert len(source.calls) == 2


async def test_fresh_token_can_be_requested(source: FakeTokenSource, tokens: TokenCache) -> None:
    """With `not_before`, only a token fetched since then will do; one fetch serves all such callers."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    await asyncio.sleep(60)
    since = now()
    results = await asyncio.gather(*(tokens.get(scope(EU), TEAM_A, not_before=since) for _ in range(5)))
    assert all(result.token is not first for result in results)
    assert (await tokens.get(scope(EU), TEAM_A, not_before=since)).token is results[0].token
    assert len(source.calls) == 2


async def test_fetch_in_flight_is_too_old_for_a_later_request(source: FakeTokenSource, tokens: TokenCache) -> None:
    """A fetch that began before `not_before` is awaited, then one more is made for all its callers."""
    early = asyncio.create_task(tokens.get(scope(EU), TEAM_A))
    await asyncio.sleep(0.5)
    late = await asyncio.gather(*(tokens.get(scope(EU), TEAM_A, not_before=now()) for _ in range(3)))
    assert (await early).token is not late[0].token
    assert len({id(result.token) for result in late}) == 1
    assert len(source.calls) == 2


async def test_cancelled_caller_does_not_cancel_the_fetch(source: FakeTokenSource, tokens: TokenCache) -> None:
    """The fetch continues for the others, and its token is cached even if nobody waits any more."""
    waiting = [asyncio.create_task(tokens.get(scope(EU), TEAM_A)) for _ in range(2)]
    await settle()
    waiting[0].cancel()
    assert (await waiting[1]).token is not None
    alone = asyncio.create_task(tokens.get(scope(US), TEAM_A))
    await settle()
    alone.cancel()
    await asyncio.sleep(2)
    assert (await tokens.get(scope(US), TEAM_A)).token is not None
    assert len(source.calls) == 2


async def test_slow_fetch_is_not_awaited(source: FakeTokenSource, tokens: TokenCache) -> None:
    """After two seconds the result is the token at hand, no failure and a retry; the fetch continues."""
    first = (await tokens.get(scope(EU), TEAM_A)).token
    await asyncio.sleep(60)
    source.seconds = 30
    started = now()
    result = await tokens.get(scope(EU), TEAM_A, not_before=started)
    assert now() - started == timedelta(seconds=2)
    assert (result.token, result.failure) == (first, None)
    assert result.retry_at is not None
    assert now() < result.retry_at <= now() + timedelta(seconds=4)
    await asyncio.sleep(30)
    assert (await tokens.get(scope(EU), TEAM_A, not_before=started)).token is not first
    assert len(source.calls) == 2


async def test_wait_is_counted_from_the_start_of_the_fetch(source: FakeTokenSource, tokens: TokenCache) -> None:
    """A caller that joins a fetch which is slow already does not wait at all."""
    source.seconds = 30
    await tokens.get(scope(EU), TEAM_A)
    started = now()
    result = await tokens.get(scope(EU), TEAM_A)
    assert now() == started
    assert (result.token, result.failure) == (None, None)


async def test_unexpected_exception_ends_only_its_fetch(source: FakeTokenSource, tokens: TokenCache) -> None:
    """An exception other than FailureError reaches the callers, and the next fetch works."""

    def fail() -> Token:
        raise RuntimeError("unexpected")

    source.outcome = fail
    with pytest.raises(RuntimeError, match="unexpected"):
        await tokens.get(scope(EU), TEAM_A)
    source.outcome = fresh_token
    assert (await tokens.get(scope(EU), TEAM_A)).token is not None


async def test_unused_scopes_are_forgotten(source: FakeTokenSource, tokens: TokenCache) -> None:
    """Thousands of identities that come and go leave nothing behind."""
    source.outcome = lambda: fresh_token(HOUR)
    for round_ in range(20):
        for number in range(200):
            identity = Identity(name=f"arn:aws:iam::123456789012:role/{round_}-{number}")
            await tokens.get(TokenScope(identity=identity, region="eu-west-1"), TEAM_A)
        await asyncio.sleep(2 * HOUR.total_seconds())
    assert len(tokens._entries) < 1000  # noqa: SLF001 -- the bound on memory is the rule
