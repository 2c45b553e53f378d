"""The door to AWS: tokens, and each way in which they cannot be had."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pullkeeper.adapters.aws import ecr, sts
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.errors.failures import Reason
from tests.unit.adapters.aws_harness import AwsHarness, quick
from testsupport.examples import EU, PUBLIC, US, scope
from testsupport.fake_aws import AwsFake, Garbage, serve_in_thread


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def house(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AwsHarness]:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    house = AwsHarness(fake, monkeypatch)
    yield house
    house.search(caplog.text)


async def test_a_token_comes_as_ecr_gives_it(house: AwsHarness, fake: AwsFake) -> None:
    """Undecoded, with the times in UTC and whole milliseconds, and it is counted."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    token = await house.door().fetch(scope(EU))
    (issued,) = fake.tokens
    assert token.auth.reveal() in fake.secrets
    assert before <= token.issued_at <= datetime.now(UTC)
    assert abs(token.expires_at - issued.expires_at) < timedelta(seconds=1)
    assert token.issued_at.microsecond % 1000 == token.expires_at.microsecond % 1000 == 0
    assert token.expires_at.tzinfo is UTC
    assert house.counts.requests == [(scope(EU), None)]
    assert house.counts.tokens == [(scope(EU), token.expires_at)]


async def test_each_scope_is_asked_in_its_region(house: AwsHarness, fake: AwsFake) -> None:
    """ECR Public in its one region, each with one call, and no registry is named."""
    door = house.door()
    for host in (EU, US, PUBLIC):
        await door.fetch(scope(host))
    calls = [(call.service, call.region) for call in fake.calls]
    assert calls == [("ecr", "eu-west-1"), ("ecr", "us-west-2"), ("ecr-public", "us-east-1")]
    assert not any(call.registry_ids for call in fake.calls)


@pytest.mark.parametrize(
    ("break_it", "reason", "words"),
    [
        (lambda fake: fake.deny(), Reason.ACCESS_DENIED, 'allow ecr:GetAuthorizationToken on "*"'),
        (lambda fake: fake.throttle(), Reason.THROTTLED, "too many requests"),
        (lambda fake: fake.throttle("TooManyRequestsException", 429), Reason.THROTTLED, "too many requests"),
        (lambda fake: fake.fail(), Reason.SERVICE_ERROR, "ServerException"),
        (lambda fake: fake.fail("ExpiredTokenException", 400), Reason.CREDENTIALS_INVALID, "expired or not known"),
        (lambda fake: fake.disable_region("eu-west-1"), Reason.CREDENTIALS_INVALID, "enabled for the account"),
        (lambda fake: fake.fail("RegionDisabledException", 403), Reason.REGION_INVALID, "enable the region"),
        (lambda fake: fake.reset(), Reason.NETWORK_UNREACHABLE, "ConnectionClosedError"),
        (lambda fake: fake.garbage(Garbage.NO_DATA), Reason.MALFORMED_ANSWER, "no token that can be read"),
        (lambda fake: fake.garbage(Garbage.MISSING_FIELDS), Reason.MALFORMED_ANSWER, "no token that can be read"),
        (lambda fake: fake.garbage(Garbage.EMPTY_BODY), Reason.MALFORMED_ANSWER, "check proxies"),
        (lambda fake: fake.garbage(Garbage.TOKEN_NOT_BASE64), Reason.MALFORMED_ANSWER, "no token that can be read"),
        (lambda fake: fake.garbage(Garbage.TOKEN_WITHOUT_COLON), Reason.MALFORMED_ANSWER, "no token that can be read"),
        (lambda fake: fake.garbage(Garbage.INVALID_BODY), Reason.MALFORMED_ANSWER, "check proxies"),
        (lambda fake: fake.garbage(Garbage.HTML_PAGE), Reason.MALFORMED_ANSWER, "check proxies"),
    ],
)
async def test_each_trouble_has_its_reason(
    house: AwsHarness, fake: AwsFake, break_it: Callable[[AwsFake], object], reason: Reason, words: str
) -> None:
    """And the words that help, with the region; it is counted by its reason, and the next one works again."""
    break_it(fake)
    door = house.door()
    failure = await house.refused(door, scope(EU))
    assert (failure.reason, words in failure.message) == (reason, True), failure.message
    assert "eu-west-1" in failure.message
    assert house.counts.requests == [(scope(EU), reason.value)]
    fake.clear_faults()
    fake.disabled_regions.clear()
    assert (await door.fetch(scope(EU))).auth.reveal()


async def test_a_hang_ends_by_the_short_timeout(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it holds no other region up meanwhile."""
    monkeypatch.setattr(ecr, "QUICK", quick(seconds=2))
    fake.hang(region="eu-west-1")
    door = house.door()
    await door.fetch(scope(US))
    hanging = asyncio.create_task(house.refused(door, scope(EU)))
    await asyncio.sleep(0)
    await door.fetch(scope(US))
    assert not hanging.done()
    failure = await hanging
    assert (failure.reason, "ReadTimeoutError" in failure.message) == (Reason.NETWORK_UNREACHABLE, True)
    assert house.counts.requests[-1] == (scope(EU), failure.reason.value)


async def test_a_host_that_is_not_there_is_the_networks_trouble(house: AwsHarness, fake: AwsFake) -> None:
    """The advice names DNS, egress and the region."""
    door = house.door(fake.environment() | {"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:9"})
    failure = await house.refused(door, scope(EU))
    assert failure.reason is Reason.NETWORK_UNREACHABLE
    assert "check DNS, egress" in failure.message


async def test_a_region_that_cannot_be_one_is_named(house: AwsHarness) -> None:
    """A host may pass with a region that no endpoint can have."""
    odd = scope(aws_host("1_2"))
    assert (await house.refused(house.door(), odd)).reason is Reason.REGION_INVALID


def aws_host(region: str) -> RegistryHost:
    return parse(f"123456789012.dkr.ecr.{region}.amazonaws.com")


async def test_an_expired_token_is_handed_on_as_it_is(house: AwsHarness, fake: AwsFake) -> None:
    """Whether its time makes sense is judged by whoever keeps tokens."""
    fake.answer_expired_token()
    token = await house.door().fetch(scope(EU))
    assert token.expires_at < datetime.now(UTC)


async def test_what_is_transient_is_tried_again_by_botocore(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single 500 is not seen from outside."""
    monkeypatch.setattr(sts, "QUICK", quick(attempts=2))
    monkeypatch.setattr(ecr, "QUICK", quick(attempts=2))
    fake.fail(times=1)
    await house.door().fetch(scope(EU))
    assert [call.outcome for call in fake.calls] == ["ServerException", "ok"]


async def test_calls_to_one_region_keep_their_distance(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five at once to one region the first goes out and the others have their turn; another region has its own."""
    door = house.door()
    for host in (EU, US):  # a client is made at the first call, which takes longer than the pause
        await door.fetch(scope(host))
    fake.forget_calls()
    monkeypatch.setattr(ecr, "_PAUSE", 3600.0)
    first, *others = [asyncio.create_task(door.fetch(scope(EU))) for _ in range(5)]
    await door.fetch(scope(US))
    await first
    assert fake.count(region="eu-west-1") == 1
    assert not any(task.done() for task in others)
    for task in others:
        task.cancel()
    await asyncio.wait(others)


async def test_who_stops_waiting_leaves_the_call_behind(house: AwsHarness, fake: AwsFake) -> None:
    """A cancelled call ends at once, and the next one is served."""
    hang = fake.hang(times=1)
    door = house.door()
    task = asyncio.create_task(door.fetch(scope(EU)))
    await asyncio.to_thread(hang.wait_played)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hang.clear()
    assert (await door.fetch(scope(EU))).auth.reveal()


async def test_a_surprise_becomes_a_reason_and_shows_no_content(
    house: AwsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say what a foreign library puts into an exception: only its kind is told."""

    def surprise(*_: object) -> None:
        raise RuntimeError("hush-hush")

    monkeypatch.setattr(ecr, "_token", surprise)
    failure = await house.refused(house.door(), scope(EU))
    assert failure.reason is Reason.MALFORMED_ANSWER
    assert "RuntimeError" in failure.message
    assert "hush" not in str(failure)
