"""A published token that its registry refuses by now is replaced at once, and a replacement that is refused waits."""

import asyncio

import pytest

from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from tests.unit.tokens.registries import Gate
from testsupport.examples import EU, EU_OTHER_ACCOUNT, scope
from testsupport.virtual_time import now

IRISH = (EU, EU_OTHER_ACCOUNT)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_a_published_token_that_dies_is_replaced_at_once(gate: Gate) -> None:
    """Its death is news once; then whoever asks gets a fresh one that has been tried, all of them the same."""
    answer = await gate.verification.get(scope(EU), IRISH)
    assert answer.token is not None
    use = RegistryCredential(identity=scope(EU).identity, host=EU, validity=answer.token.validity)
    assert not await gate.verification.revalidate(use, answer.token.auth)
    gate.registries.refused = {answer.token.auth}
    await asyncio.sleep(60)
    assert await gate.verification.revalidate(use, answer.token.auth)
    assert not await gate.verification.revalidate(use, answer.token.auth)
    answers = await asyncio.gather(*(gate.verification.get(scope(EU), IRISH) for _ in range(50)))
    assert {each.token for each in answers} == {gate.issued[1]}
    assert not any(each.excluded for each in answers)
    assert len(gate.issued) == 2


async def test_a_replacement_that_is_refused_as_well_waits(gate: Gate) -> None:
    """An account that takes nothing any more causes no storm: one fresh token at once, and then a pause."""
    answer = await gate.verification.get(scope(EU), [EU])
    assert answer.token is not None
    use = RegistryCredential(identity=scope(EU).identity, host=EU, validity=answer.token.validity)
    gate.registries.refusing = {EU}
    for _ in range(100):
        await gate.verification.revalidate(use, answer.token.auth)
        await gate.verification.get(scope(EU), [EU])
    assert len(gate.issued) == 2


async def test_a_token_that_was_published_unverified_is_replaced_when_it_turns_out_bad(gate: Gate) -> None:
    """After a silence, too: an old pause of the same registry does not stand for the new refusal."""
    gate.registries.refusing = {EU}
    first = await gate.verification.get(scope(EU), [EU])
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    gate.registries.silent = {EU}
    second = await gate.verification.get(scope(EU), [EU])
    assert second.token is gate.issued[1]
    await asyncio.sleep(3600)
    gate.registries.silent = set()
    use = RegistryCredential(identity=scope(EU).identity, host=EU, validity=second.token.validity)
    assert await gate.verification.revalidate(use, second.token.auth)
    gate.registries.refusing = set()
    assert (await gate.verification.get(scope(EU), [EU])).token is gate.issued[2]


async def test_a_silent_registry_kills_no_token(gate: Gate) -> None:
    """An unreachable registry changes nothing, and is not asked again before its time."""
    answer = await gate.verification.get(scope(EU), [EU])
    assert answer.token is not None
    use = RegistryCredential(identity=scope(EU).identity, host=EU, validity=answer.token.validity)
    gate.registries.silent = {EU}
    for _ in range(10):
        assert not await gate.verification.revalidate(use, answer.token.auth)
    assert gate.registries.count(EU) == 2
    assert len(gate.issued) == 1
