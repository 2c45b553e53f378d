"""A token is probed once at each registry before it is published for it, and verdicts are shared."""

import asyncio
import logging
from datetime import timedelta
from itertools import pairwise

import pytest

from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.backoff import FIRST_ACTION_RETRY
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import Identity
from tests.unit.tokens.fake_token_source import DENIED, TEAM_A, THROTTLED
from tests.unit.tokens.verifier_harness import VerifierHarness
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, PUBLIC, US, auth, scope, times
from testsupport.virtual_time import now

ALL = (EU, EU_OTHER_ACCOUNT, US, PUBLIC)
EU_HOSTS = (EU, EU_OTHER_ACCOUNT)


@pytest.fixture
def harness() -> VerifierHarness:
    return VerifierHarness()


async def test_namespaces_share_one_probe_per_registry(harness: VerifierHarness) -> None:
    """2,000 concurrent callers and one an hour later share the verdicts."""
    results = await asyncio.gather(*(harness.verifier.get(scope(EU), ALL, TEAM_A) for _ in range(2000)))
    await asyncio.sleep(3600)
    results.append(await harness.verifier.get(scope(EU), ALL, TEAM_A))
    assert [(host, auth) for _, host, auth in harness.registries.probes] == [
        (host, harness.issued[0].auth) for host in EU_HOSTS
    ]
    assert {result.token for result in results} == {harness.issued[0]}
    assert all(result.failure is None and not result.excluded for result in results)
    assert harness.recorded == ["accepted", "accepted"]


async def test_new_token_is_probed_anew(harness: VerifierHarness) -> None:
    """The verdict on one token does not apply to the next."""
    await harness.verifier.get(scope(EU), [EU], TEAM_A)
    await asyncio.sleep(6 * 3600)
    await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert [auth for *_, auth in harness.registries.probes] == [token.auth for token in harness.issued]
    assert len(harness.issued) == 2


async def test_only_the_registry_that_refuses_is_excluded(harness: VerifierHarness) -> None:
    """Registries are independent, and the failure names the one that refuses and why."""
    harness.registries.refusing = {EU}
    result = await harness.verifier.get(scope(EU), ALL, TEAM_A)
    assert result.token is harness.issued[0]
    assert result.excluded == {EU}
    assert result.failure is not None
    assert result.failure.reason is Reason.REGISTRY_REJECTED
    assert str(EU) in result.failure.message
    assert str(EU_OTHER_ACCOUNT) not in result.failure.message
    assert result.failure.detail == "status 403"
    assert result.retry_at is not None
    assert result.retry_at > now()


async def test_refusal_is_shared_during_its_backoff(harness: VerifierHarness) -> None:
    """Until then all callers get the same result, without a probe or a fetch."""
    harness.registries.refusing = {EU}
    first = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    results = [await harness.verifier.get(scope(EU), [EU], TEAM_A) for _ in range(100)]
    assert results == [first] * 100
    assert (len(harness.registries.probes), len(harness.issued)) == (1, 1)


async def test_token_that_no_registry_accepts_is_replaced_with_backoff(harness: VerifierHarness) -> None:
    """A day of refusals, with 50 namespaces that retry as soon as they may, is a fetch and a probe per five minutes."""
    harness.registries.refusing = {EU}
    end = now() + 24 * HOUR
    while now() < end:
        results = await asyncio.gather(*(harness.verifier.get(scope(EU), [EU], TEAM_A) for _ in range(50)))
        moments = [result.retry_at for result in results if result.retry_at]
        assert len(moments) == 50
        assert all(result.excluded == {EU} for result in results)
        await asyncio.sleep(max((max(moments) - now()).total_seconds(), 0.001))
    assert len(harness.issued) == len(harness.registries.probes) <= 24 * 12 * 1.2
    starts = [at for at, *_ in harness.registries.probes]
    assert all(later - earlier > 25 for earlier, later in pairwise(starts))


async def test_token_that_another_registry_accepts_is_probed_again(harness: VerifierHarness) -> None:
    """The registry is at fault, not the token, so no new token is fetched for all."""
    harness.registries.refusing = {EU}
    for _ in range(50):
        result = await harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)
        assert result.retry_at is not None
        await asyncio.sleep((result.retry_at - now()).total_seconds())
    assert len(harness.issued) == 1
    assert (harness.registries.count(EU), harness.registries.count(EU_OTHER_ACCOUNT)) == (50, 1)
    harness.registries.refusing = set()
    assert not (await harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)).excluded
    assert len(harness.issued) == 1


async def test_refusal_outlasts_unreachability(harness: VerifierHarness) -> None:
    """A refused token is not published because its registry has become unreachable."""
    harness.registries.refusing = {EU}
    first = await harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)
    harness.registries.unreachable = {EU}
    for _ in range(20):
        assert first.retry_at is not None
        await asyncio.sleep((first.retry_at - now()).total_seconds())
        first = await harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)
        assert first.excluded == {EU}
    assert len(harness.issued) == 1


async def test_accepted_replacement_ends_the_failure(harness: VerifierHarness) -> None:
    """Nothing is left of the refusal."""
    harness.registries.refusing = {EU}
    first = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    harness.registries.refusing = set()
    second = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert (second.token, second.failure, second.retry_at) == (harness.issued[1], None, None)


async def test_unreachable_registry_delays_nothing(harness: VerifierHarness, caplog: pytest.LogCaptureFixture) -> None:
    """It gets the token unverified, is probed with backoff, and is logged once."""
    harness.registries.unreachable = {EU}
    with caplog.at_level(logging.INFO, "pullkeeper"):
        for _ in range(50):
            assert (await harness.verifier.get(scope(EU), [EU], TEAM_A)).excluded == frozenset()
        assert harness.recorded == ["unreachable"]
        await asyncio.sleep(3600)
        await harness.verifier.get(scope(EU), [EU], TEAM_A)
        assert harness.recorded == ["unreachable"] * 2
        harness.registries.unreachable = set()
        await asyncio.sleep(3600)
        await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "(TimeoutError)" in caplog.messages[0]


async def test_one_outage_counts_once_however_many_tokens_are_probed(harness: VerifierHarness) -> None:
    """Otherwise a registry that ten identities use would go unverified for minutes after each blip."""
    harness.registries.unreachable = {EU}
    issues = [now() + number * timedelta(seconds=1) for number in range(10)]
    credentials = [RegistryCredential(scope=scope(EU), host=EU, validity=times(issued=issued)) for issued in issues]
    await asyncio.gather(*(harness.verifier.revalidate([each], auth()) for each in credentials))
    assert harness.registries.count(EU) == 10
    harness.registries.unreachable = set()
    await asyncio.sleep(FIRST_ACTION_RETRY.total_seconds())
    await harness.verifier.revalidate(credentials[:1], auth())
    assert harness.registries.count(EU) == 11


async def test_slow_probe_is_not_awaited(harness: VerifierHarness) -> None:
    """Until its verdict the registry is excluded without a failure; a retry gets the verdict of the same probe."""
    await harness.cache.get(scope(EU), TEAM_A)
    harness.registries.seconds = 5
    started = now()
    result = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert now() - started == timedelta(seconds=2)
    assert (result.excluded, result.failure) == (frozenset({EU}), None)
    assert result.retry_at is not None
    assert now() < result.retry_at <= now() + timedelta(seconds=4)
    await asyncio.sleep(3)
    assert (await harness.verifier.get(scope(EU), [EU], TEAM_A)).excluded == frozenset()
    assert len(harness.registries.probes) == 1


async def test_cancelled_caller_does_not_cancel_the_probe(harness: VerifierHarness) -> None:
    """Other callers share it."""
    await harness.cache.get(scope(EU), TEAM_A)
    waiting = [asyncio.create_task(harness.verifier.get(scope(EU), [EU], TEAM_A)) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    assert (await waiting[1]).excluded == frozenset()
    assert len(harness.registries.probes) == 1


async def test_ecr_public_is_not_probed(harness: VerifierHarness) -> None:
    """It accepts no `Basic` authorization; the skipped probe is counted once per token."""
    for _ in range(5):
        assert (await harness.verifier.get(scope(PUBLIC), ALL, TEAM_A)).excluded == frozenset()
    assert harness.registries.probes == []
    assert harness.recorded == ["skipped"]


async def test_without_a_token_every_registry_is_excluded(harness: VerifierHarness) -> None:
    """An entry of another registry has not been verified there, so it is not shared."""
    harness.source.outcome = DENIED
    result = await harness.verifier.get(scope(EU), ALL, TEAM_A)
    assert (result.token, result.failure, result.excluded) == (None, DENIED, frozenset(EU_HOSTS))
    assert harness.registries.probes == []


async def test_failure_of_aws_is_reported_before_a_refusal(harness: VerifierHarness) -> None:
    """While no replacement can be fetched, that is what to fix, and AWS has a backoff of its own."""
    harness.registries.refusing = {EU}
    first = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert first.retry_at is not None
    await asyncio.sleep((first.retry_at - now()).total_seconds())
    harness.source.outcome = THROTTLED
    result = await harness.verifier.get(scope(EU), [EU], TEAM_A)
    assert (result.token, result.failure, result.excluded) == (harness.issued[0], THROTTLED, frozenset({EU}))
    assert result.retry_at is not None
    again = [await harness.verifier.get(scope(EU), [EU], TEAM_A) for _ in range(10)]
    assert {each.retry_at for each in again} == {result.retry_at}
    assert (len(harness.source.calls), len(harness.registries.probes)) == (2, 1)


async def test_expired_tokens_are_forgotten(harness: VerifierHarness) -> None:
    """Thousands of identities that come and go leave nothing behind."""
    for round_ in range(10):
        for number in range(200):
            identity = Identity(name=f"arn:aws:iam::123456789012:role/{round_}-{number}")
            harness.registries.refusing = {EU} if number % 2 else set()
            host = parse(f"{number:012d}.dkr.ecr.eu-west-1.amazonaws.com")
            await harness.verifier.get(TokenScope(identity=identity, region="eu-west-1"), [EU, host], TEAM_A)
        await asyncio.sleep(13 * HOUR.total_seconds())
    assert len(harness.verifier._states) < 2000  # noqa: SLF001 -- the bound on memory is the rule


async def test_unreachable_registries_are_forgotten(harness: VerifierHarness) -> None:
    """Registries whose tokens have expired leave nothing behind, even if they never answered."""
    for round_ in range(5):
        hosts = [parse(f"{round_:06d}{number:06d}.dkr.ecr.eu-west-1.amazonaws.com") for number in range(200)]
        harness.registries.unreachable = set(hosts)
        await harness.verifier.get(scope(EU), hosts, TEAM_A)
        await asyncio.sleep(13 * HOUR.total_seconds())
    assert len(harness.verifier._states.unreachable) < 1000  # noqa: SLF001 -- the bound on memory is the rule
