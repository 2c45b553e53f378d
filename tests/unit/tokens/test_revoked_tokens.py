"""A revoked token is replaced at once; if the replacement is refused as well, the next one waits."""

import asyncio

import pytest

from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from tests.unit.tokens.fake_token_source import TEAM_A
from tests.unit.tokens.verifier_harness import VerifierHarness
from testsupport.examples import EU, EU_OTHER_ACCOUNT, scope
from testsupport.virtual_time import now

EU_HOSTS = (EU, EU_OTHER_ACCOUNT)


@pytest.fixture
def harness() -> VerifierHarness:
    return VerifierHarness()


async def test_revoked_token_is_replaced_at_once(harness: VerifierHarness) -> None:
    """The revocation is reported once, and all callers get the same verified replacement."""
    result = await harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)
    assert result.token is not None
    credential = RegistryCredential(scope=scope(EU), host=EU, validity=result.token.validity)
    assert not await harness.verifier.revalidate([credential], result.token.auth)
    harness.registries.refused = {result.token.auth}
    await asyncio.sleep(60)
    assert await harness.verifier.revalidate([credential], result.token.auth)
    assert not await harness.verifier.revalidate([credential], result.token.auth)
    results = await asyncio.gather(*(harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A) for _ in range(50)))
    assert {each.token for each in results} == {harness.issued[1]}
    assert not any(each.excluded for each in results)
    assert len(harness.issued) == 2


async def test_refused_replacement_starts_a_backoff(harness: VerifierHarness) -> None:
    """An account that refuses every token causes one fetch at once, and then a backoff."""
    result = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert result.token is not None
    credential = RegistryCredential(scope=scope(EU), host=EU, validity=result.token.validity)
    harness.registries.refusing = {EU}
    for _ in range(100):
        await harness.verifier.revalidate([credential], result.token.auth)
        await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert len(harness.issued) == 2


async def test_unverified_token_is_replaced_once_it_is_refused(
    harness: VerifierHarness,
) -> None:
    """A backoff from before the registry was unreachable does not delay its replacement."""
    harness.registries.refusing = {EU}
    first = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    harness.registries.unreachable = {EU}
    second = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert second.token is harness.issued[1]
    await asyncio.sleep(3600)
    harness.registries.unreachable = set()
    credential = RegistryCredential(scope=scope(EU), host=EU, validity=second.token.validity)
    assert await harness.verifier.revalidate([credential], second.token.auth)
    harness.registries.refusing = set()
    assert (await harness.verifier.get(scope(EU), [EU], TEAM_A)).token is harness.issued[2]


async def test_unreachable_registry_revokes_no_token(harness: VerifierHarness) -> None:
    """It changes nothing, and is not probed again during its backoff."""
    result = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert result.token is not None
    credential = RegistryCredential(scope=scope(EU), host=EU, validity=result.token.validity)
    harness.registries.unreachable = {EU}
    for _ in range(10):
        assert not await harness.verifier.revalidate([credential], result.token.auth)
    assert harness.registries.count(EU) == 2
    assert len(harness.issued) == 1
