"""Which token for whom: shared, fetched once at a time, young enough."""

import asyncio
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.tokens.token_cache import TokenCache
from tests.unit.tokens.token_source import Source, until, young
from testsupport.examples import EU, HOUR, US, scope
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now, settle


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def tokens(source: Source) -> TokenCache:
    return TokenCache(source, rotation=Rotation(), clock=now, chance=FixedRandom())


async def test_many_at_once_share_one_call(source: Source, tokens: TokenCache) -> None:
    """However many namespaces ask at the same time, ECR is asked once."""
    answers = await asyncio.gather(*(tokens.get(scope(EU)) for _ in range(100)))
    assert len(source.calls) == 1
    assert len({id(answer.token) for answer in answers}) == 1
    assert answers[0].failure is None


async def test_each_scope_has_its_own_call(source: Source, tokens: TokenCache) -> None:
    """Two regions are asked side by side, not one after the other."""
    started = now()
    await asyncio.gather(tokens.get(scope(EU)), tokens.get(scope(US)))
    assert source.calls == [scope(EU), scope(US)]
    assert now() - started == timedelta(seconds=1)


async def test_a_token_is_given_out_until_shortly_before_it_is_due(source: Source, tokens: TokenCache) -> None:
    """Until 95 % of the way to its rotation nothing new is asked; from then on, once."""
    first = (await tokens.get(scope(EU))).token
    assert first is not None
    await until(Rotation().usable_until(first) - timedelta(seconds=1))
    assert (await tokens.get(scope(EU))).token is first
    await until(Rotation().usable_until(first))
    assert (await tokens.get(scope(EU))).token is not first
    assert len(source.calls) == 2


async def test_a_fresh_token_can_be_asked_for(source: Source, tokens: TokenCache) -> None:
    """With `since`, only a token whose call was made after that moment will do; it serves all who asked before."""
    first = (await tokens.get(scope(EU))).token
    await asyncio.sleep(60)
    since = now()
    answers = await asyncio.gather(*(tokens.get(scope(EU), since=since) for _ in range(5)))
    assert all(answer.token is not first for answer in answers)
    assert (await tokens.get(scope(EU), since=since)).token is answers[0].token
    assert len(source.calls) == 2


async def test_a_call_under_way_is_too_old_for_who_asks_after_it_began(source: Source, tokens: TokenCache) -> None:
    """A call that began before `since` is waited for, and then one more is made, for all of them."""
    early = asyncio.create_task(tokens.get(scope(EU)))
    await asyncio.sleep(0.5)
    late = await asyncio.gather(*(tokens.get(scope(EU), since=now()) for _ in range(3)))
    assert (await early).token is not late[0].token
    assert len({id(answer.token) for answer in late}) == 1
    assert len(source.calls) == 2


async def test_one_who_stops_waiting_does_not_end_the_call(source: Source, tokens: TokenCache) -> None:
    """The call goes on for the others, and what it brings is kept even if nobody waits any more."""
    waiting = [asyncio.create_task(tokens.get(scope(EU))) for _ in range(2)]
    await settle()
    waiting[0].cancel()
    assert (await waiting[1]).token is not None
    alone = asyncio.create_task(tokens.get(scope(US)))
    await settle()
    alone.cancel()
    await asyncio.sleep(2)
    assert (await tokens.get(scope(US))).token is not None
    assert len(source.calls) == 2


async def test_a_call_that_takes_long_is_not_waited_for(source: Source, tokens: TokenCache) -> None:
    """After two seconds the answer is to come again, with what is there and no failure; the call goes on."""
    first = (await tokens.get(scope(EU))).token
    await asyncio.sleep(60)
    source.seconds = 30
    started = now()
    answer = await tokens.get(scope(EU), since=started)
    assert now() - started == timedelta(seconds=2)
    assert (answer.token, answer.failure) == (first, None)
    assert answer.retry_at is not None
    assert now() < answer.retry_at <= now() + timedelta(seconds=4)
    await asyncio.sleep(30)
    assert (await tokens.get(scope(EU), since=started)).token is not first
    assert len(source.calls) == 2


async def test_the_patience_is_that_of_the_call_not_of_the_caller(source: Source, tokens: TokenCache) -> None:
    """Whoever comes when a call has taken long already does not wait at all."""
    source.seconds = 30
    await tokens.get(scope(EU))
    started = now()
    answer = await tokens.get(scope(EU))
    assert now() == started
    assert (answer.token, answer.failure) == (None, None)


async def test_a_surprise_reaches_who_asked_and_blocks_nobody_after(source: Source, tokens: TokenCache) -> None:
    """An exception that no door should raise ends that call alone."""

    def surprise() -> Token:
        raise RuntimeError("surprise")

    source.outcome = surprise
    with pytest.raises(RuntimeError, match="surprise"):
        await tokens.get(scope(EU))
    source.outcome = young
    assert (await tokens.get(scope(EU))).token is not None


async def test_scopes_that_nobody_asks_for_any_more_are_forgotten(source: Source, tokens: TokenCache) -> None:
    """Thousands of identities that come and go leave nothing behind, but what is alive stays."""
    source.outcome = lambda: young(HOUR)
    for round_ in range(20):
        for number in range(200):
            identity = Identity(name=f"arn:aws:iam::123456789012:role/{round_}-{number}")
            await tokens.get(TokenScope(identity=identity, region="eu-west-1"))
        await asyncio.sleep(2 * HOUR.total_seconds())
    assert len(tokens._shelves) < 1000  # noqa: SLF001 -- what is kept is the rule
