"""A token is tried at each registry before it is given out for it: once, shared, without a hot loop."""

import asyncio
import logging
from datetime import timedelta
from itertools import pairwise

import pytest

from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import Identity
from tests.unit.tokens.registries import Gate
from tests.unit.tokens.token_source import DENIED, THROTTLED
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, PUBLIC, US, scope
from testsupport.virtual_time import now

ALL = (EU, EU_OTHER_ACCOUNT, US, PUBLIC)
IRISH = (EU, EU_OTHER_ACCOUNT)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_many_namespaces_cause_one_probe_for_each_registry(gate: Gate) -> None:
    """2,000 that ask at once, and later, share what one has found out."""
    answers = await asyncio.gather(*(gate.verification.get(scope(EU), ALL) for _ in range(2000)))
    await asyncio.sleep(3600)
    answers.append(await gate.verification.get(scope(EU), ALL))
    assert [(host, auth) for _, host, auth in gate.registries.probes] == [(host, gate.issued[0].auth) for host in IRISH]
    assert {answer.token for answer in answers} == {gate.issued[0]}
    assert all(answer.failure is None and not answer.excluded for answer in answers)
    assert gate.counted == ["accepted", "accepted"]


async def test_a_new_token_is_tried_anew(gate: Gate) -> None:
    """What a registry says of one token says nothing of the next."""
    await gate.verification.get(scope(EU), [EU])
    await asyncio.sleep(6 * 3600)
    await gate.verification.get(scope(EU), [EU])
    assert [auth for *_, auth in gate.registries.probes] == [token.auth for token in gate.issued]
    assert len(gate.issued) == 2


async def test_a_registry_that_refuses_does_not_get_it_and_the_others_do(gate: Gate) -> None:
    """Registries are independent, and the failure says which of them refuses what."""
    gate.registries.refusing = {EU}
    answer = await gate.verification.get(scope(EU), ALL)
    assert answer.token is gate.issued[0]
    assert answer.excluded == {EU}
    assert answer.failure is not None
    assert answer.failure.reason is Reason.REGISTRY_REJECTED
    assert str(EU) in answer.failure.message
    assert str(EU_OTHER_ACCOUNT) not in answer.failure.message
    assert answer.failure.detail == "status 403"
    assert answer.retry_at is not None
    assert answer.retry_at > now()


async def test_a_refusal_is_remembered_for_its_time(gate: Gate) -> None:
    """Whoever asks before is told the same without a probe or a call."""
    gate.registries.refusing = {EU}
    first = await gate.verification.get(scope(EU), [EU])
    answers = [await gate.verification.get(scope(EU), [EU]) for _ in range(100)]
    assert answers == [first] * 100
    assert (len(gate.registries.probes), len(gate.issued)) == (1, 1)


async def test_a_token_that_no_registry_takes_is_replaced_ever_more_slowly(gate: Gate) -> None:
    """A day of refusals, with 50 namespaces that come as soon as they may, is a call and a probe every five minutes."""
    gate.registries.refusing = {EU}
    end = now() + 24 * HOUR
    while now() < end:
        answers = await asyncio.gather(*(gate.verification.get(scope(EU), [EU]) for _ in range(50)))
        moments = [answer.retry_at for answer in answers if answer.retry_at]
        assert len(moments) == 50
        assert all(answer.excluded == {EU} for answer in answers)
        await asyncio.sleep(max((max(moments) - now()).total_seconds(), 0.001))
    assert len(gate.issued) == len(gate.registries.probes) <= 24 * 12 * 1.2
    starts = [at for at, *_ in gate.registries.probes]
    assert all(later - earlier > 25 for earlier, later in pairwise(starts))


async def test_a_token_that_another_registry_takes_is_tried_again_instead(gate: Gate) -> None:
    """There the token is not at fault, so its neighbours are not rewritten with ever new ones."""
    gate.registries.refusing = {EU}
    for _ in range(50):
        answer = await gate.verification.get(scope(EU), IRISH)
        assert answer.retry_at is not None
        await asyncio.sleep((answer.retry_at - now()).total_seconds())
    assert len(gate.issued) == 1
    assert (gate.registries.count(EU), gate.registries.count(EU_OTHER_ACCOUNT)) == (50, 1)
    gate.registries.refusing = set()
    assert not (await gate.verification.get(scope(EU), IRISH)).excluded
    assert len(gate.issued) == 1


async def test_a_refusal_outlasts_a_silence(gate: Gate) -> None:
    """What was refused is not published because the registry does not answer any more."""
    gate.registries.refusing = {EU}
    first = await gate.verification.get(scope(EU), IRISH)
    gate.registries.silent = {EU}
    for _ in range(20):
        assert first.retry_at is not None
        await asyncio.sleep((first.retry_at - now()).total_seconds())
        first = await gate.verification.get(scope(EU), IRISH)
        assert first.excluded == {EU}
    assert len(gate.issued) == 1


async def test_a_replacement_that_is_taken_ends_it(gate: Gate) -> None:
    """The next refusal, much later, is the first one again."""
    gate.registries.refusing = {EU}
    first = await gate.verification.get(scope(EU), [EU])
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    gate.registries.refusing = set()
    second = await gate.verification.get(scope(EU), [EU])
    assert (second.token, second.failure, second.retry_at) == (gate.issued[1], None, None)


async def test_a_registry_that_does_not_say_holds_nothing_up(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """It gets the token all the same, is left in peace for a while, and is spoken of once."""
    gate.registries.silent = {EU}
    with caplog.at_level(logging.INFO, "pullkeeper"):
        for _ in range(50):
            assert (await gate.verification.get(scope(EU), [EU])).excluded == frozenset()
        assert gate.counted == ["unreachable"]
        await asyncio.sleep(3600)
        await gate.verification.get(scope(EU), [EU])
        assert gate.counted == ["unreachable"] * 2
        gate.registries.silent = set()
        await asyncio.sleep(3600)
        await gate.verification.get(scope(EU), [EU])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "(TimeoutError)" in caplog.messages[0]


async def test_a_probe_that_takes_long_is_not_waited_for(gate: Gate) -> None:
    """The registry is withheld without a failure until it is known; who comes back has it then, from the same probe."""
    await gate.tokens.get(scope(EU))
    gate.registries.seconds = 5
    started = now()
    answer = await gate.verification.get(scope(EU), [EU])
    assert now() - started == timedelta(seconds=2)
    assert (answer.excluded, answer.failure) == (frozenset({EU}), None)
    assert answer.retry_at is not None
    assert now() < answer.retry_at <= now() + timedelta(seconds=4)
    await asyncio.sleep(3)
    assert (await gate.verification.get(scope(EU), [EU])).excluded == frozenset()
    assert len(gate.registries.probes) == 1


async def test_who_stops_waiting_does_not_end_the_probe(gate: Gate) -> None:
    """It goes on for the others."""
    await gate.tokens.get(scope(EU))
    waiting = [asyncio.create_task(gate.verification.get(scope(EU), [EU])) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    assert (await waiting[1]).excluded == frozenset()
    assert len(gate.registries.probes) == 1


async def test_ecr_public_is_not_asked(gate: Gate) -> None:
    """It takes no `Basic`, so nothing can be told; that is counted once for each token."""
    for _ in range(5):
        assert (await gate.verification.get(scope(PUBLIC), ALL)).excluded == frozenset()
    assert gate.registries.probes == []
    assert gate.counted == ["skipped"]


async def test_without_a_token_nothing_is_shared_between_registries(gate: Gate) -> None:
    """What a neighbour holds has not been tried at the others, so it is not for them."""
    gate.source.outcome = DENIED
    answer = await gate.verification.get(scope(EU), ALL)
    assert (answer.token, answer.failure, answer.excluded) == (None, DENIED, frozenset(IRISH))
    assert gate.registries.probes == []


async def test_trouble_at_aws_is_said_before_that_of_a_registry(gate: Gate) -> None:
    """While no replacement can be had, that is what is to be mended, and AWS is asked at its own pace."""
    gate.registries.refusing = {EU}
    first = await gate.verification.get(scope(EU), [EU])
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    gate.source.outcome = THROTTLED
    answer = await gate.verification.get(scope(EU), [EU])
    assert (answer.token, answer.failure, answer.excluded) == (gate.issued[0], THROTTLED, frozenset({EU}))
    assert answer.retry_at is not None
    again = [await gate.verification.get(scope(EU), [EU]) for _ in range(10)]
    assert {each.retry_at for each in again} == {answer.retry_at}
    assert (len(gate.source.calls), len(gate.registries.probes)) == (2, 1)


async def test_tokens_that_have_died_of_age_are_forgotten(gate: Gate) -> None:
    """Thousands of identities that come and go leave nothing behind."""
    for round_ in range(10):
        for number in range(200):
            identity = Identity(name=f"arn:aws:iam::123456789012:role/{round_}-{number}")
            gate.registries.refusing = {EU} if number % 2 else set()
            host = parse(f"{number:012d}.dkr.ecr.eu-west-1.amazonaws.com")
            await gate.verification.get(TokenScope(identity=identity, region="eu-west-1"), [EU, host])
        await asyncio.sleep(13 * HOUR.total_seconds())
    known = gate.verification
    kept = (known._verdicts, known._good, known._refusing, known._flights)  # noqa: SLF001 -- what is kept is the rule
    assert all(len(each) < 2000 for each in kept)
