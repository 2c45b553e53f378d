"""Tokens from ECR and ECR Public, each failure with its reason, and the requests that are recorded."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients, ecr
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.tokens import call_queue
from tests.unit.adapters.aws_harness import AwsHarness, client_config
from testsupport.examples import EU, PUBLIC, US, demand, scope
from testsupport.fake_aws import ACCOUNT, AwsFake, Garbage, serve_in_thread
from testsupport.fake_aws.issuer import Issuer

TOKEN, ROLE = "GetAuthorizationToken", f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
SUBJECT = "system:serviceaccount:pullkeeper:pullkeeper"


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def harness(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AwsHarness]:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    harness = AwsHarness(fake, monkeypatch)
    yield harness
    harness.check_no_secret(caplog.text)


async def test_token_is_returned_as_issued(harness: AwsHarness, fake: AwsFake) -> None:
    """It is not decoded, its times are in UTC and whole milliseconds, and the fetch is recorded."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    token = await harness.token_source().fetch(scope(EU), demand())
    (issued,) = fake.tokens
    assert token.auth.reveal() in fake.secrets
    assert before <= token.issued_at <= datetime.now(UTC)
    assert abs(token.expires_at - issued.expires_at) < timedelta(seconds=1)
    assert token.issued_at.microsecond % 1000 == token.expires_at.microsecond % 1000 == 0
    assert token.expires_at.tzinfo is UTC
    assert harness.recorder.requests == [(scope(EU), None)]
    assert harness.recorder.tokens == [(scope(EU), token.expires_at)]


async def test_each_scope_is_fetched_in_its_region(harness: AwsHarness, fake: AwsFake) -> None:
    """ECR Public in its only region; each with one call that names no registry."""
    source = harness.token_source()
    for host in (EU, US, PUBLIC):
        await source.fetch(scope(host), demand())
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
        (
            lambda fake: fake.fail("ExpiredTokenException", 400),
            Reason.CREDENTIALS_INVALID,
            "credentials have expired",
        ),
        (lambda fake: fake.disable_region("eu-west-1"), Reason.REGION_NOT_ENABLED, "enable the region"),
        (lambda fake: fake.fail("RegionDisabledException", 403), Reason.REGION_NOT_ENABLED, "enable the region"),
        (lambda fake: fake.reset(), Reason.NETWORK_UNREACHABLE, "ProxyConnectionError"),
        (lambda fake: fake.garbage(Garbage.NO_DATA), Reason.MALFORMED_ANSWER, "no readable token"),
        (lambda fake: fake.garbage(Garbage.MISSING_FIELDS), Reason.MALFORMED_ANSWER, "no readable token"),
        (lambda fake: fake.garbage(Garbage.EMPTY_BODY), Reason.MALFORMED_ANSWER, "check proxies"),
        (lambda fake: fake.garbage(Garbage.TOKEN_NOT_BASE64), Reason.MALFORMED_ANSWER, "no readable token"),
        (lambda fake: fake.garbage(Garbage.TOKEN_WITHOUT_COLON), Reason.MALFORMED_ANSWER, "no readable token"),
        (lambda fake: fake.garbage(Garbage.INVALID_BODY), Reason.MALFORMED_ANSWER, "check proxies"),
        (lambda fake: fake.garbage(Garbage.HTML_PAGE), Reason.MALFORMED_ANSWER, "check proxies"),
    ],
)
async def test_each_failure_has_its_reason(
    harness: AwsHarness, fake: AwsFake, break_it: Callable[[AwsFake], object], reason: Reason, words: str
) -> None:
    """The message has the region and the fix; the failure is recorded, and the next fetch succeeds."""
    break_it(fake)
    source = harness.token_source()
    failure = await harness.failure(source, scope(EU))
    assert (failure.reason, words in failure.message) == (reason, True), failure.message
    assert "eu-west-1" in str(failure)
    assert harness.recorder.requests == [(scope(EU), reason.value)]
    fake.clear_faults()
    fake.disabled_regions.clear()
    assert (await source.fetch(scope(EU), demand())).auth.reveal()


async def test_hanging_call_ends_with_the_short_timeout(
    harness: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It delays no other region meanwhile."""
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config(seconds=2))
    fake.hang(region="eu-west-1")
    source = harness.token_source()
    await source.fetch(scope(US), demand())
    hanging = asyncio.create_task(harness.failure(source, scope(EU)))
    await asyncio.sleep(0)
    await source.fetch(scope(US), demand())
    assert not hanging.done()
    failure = await hanging
    assert (failure.reason, "ReadTimeoutError" in failure.message) == (Reason.NETWORK_UNREACHABLE, True)
    assert harness.recorder.requests[-1] == (scope(EU), failure.reason.value)


async def test_unreachable_endpoint_is_a_network_failure(harness: AwsHarness, fake: AwsFake) -> None:
    """The advice names DNS, egress and the region."""
    fake.network.unreachable("api.ecr.eu-west-1.amazonaws.com")
    failure = await harness.failure(harness.token_source(), scope(EU))
    assert failure.reason is Reason.NETWORK_UNREACHABLE
    assert "check DNS, egress" in failure.message


async def test_impossible_region_is_reported(harness: AwsHarness) -> None:
    """By botocore, although no valid registry host has a region that no endpoint can have."""
    odd = scope(RegistryHost(name="123456789012.dkr.ecr.1_2.amazonaws.com", region="1_2"))
    assert (await harness.failure(harness.token_source(), odd)).reason is Reason.REGION_INVALID


def registry_in(region: str) -> RegistryHost:
    return parse(f"123456789012.dkr.ecr.{region}.amazonaws.com")


async def test_expired_token_is_returned(harness: AwsHarness, fake: AwsFake) -> None:
    """The token cache decides whether its times make sense."""
    fake.answer_expired_token()
    token = await harness.token_source().fetch(scope(EU), demand())
    assert token.expires_at < datetime.now(UTC)


async def test_life_that_cannot_be_true_is_cut(harness: AwsHarness, fake: AwsFake) -> None:
    """A token that would never be replaced is taken to live for twelve hours."""
    fake.short_life(timedelta(days=36500))
    token = await harness.token_source().fetch(scope(EU), demand())
    assert token.expires_at - token.issued_at == timedelta(hours=12)


async def test_botocore_retries_transient_errors(
    harness: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single 500 causes no failure."""
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config(attempts=2))
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config(attempts=2))
    fake.fail(times=1)
    await harness.token_source().fetch(scope(EU), demand())
    assert [call.outcome for call in fake.calls] == ["ServerException", "ok"]


async def test_calls_to_one_region_are_spaced(
    harness: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five concurrent calls to one region are spread; another region does not wait for them."""
    source = harness.token_source()
    for host in (EU, US):  # a client is made at the first call, which takes longer than the pause
        await source.fetch(scope(host), demand())
    fake.forget_calls()
    monkeypatch.setattr(call_queue, "_INTERVAL", 3600.0)
    first, *others = [asyncio.create_task(source.fetch(scope(EU), demand())) for _ in range(5)]
    await source.fetch(scope(US), demand())
    await first
    assert fake.count(region="eu-west-1") == 1
    assert not any(task.done() for task in others)
    for task in others:
        task.cancel()
    await asyncio.wait(others)


async def test_cancelled_fetch_ends_at_once(harness: AwsHarness, fake: AwsFake) -> None:
    """The next fetch succeeds while the abandoned call finishes in its thread."""
    hang = fake.hang(times=1)
    source = harness.token_source()
    task = asyncio.create_task(source.fetch(scope(EU), demand()))
    await asyncio.to_thread(hang.wait_played)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hang.clear()
    assert (await source.fetch(scope(EU), demand())).auth.reveal()


async def test_unexpected_exception_is_reported_without_its_text(
    harness: AwsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what a library puts into an exception: only its type is reported."""

    def fail(*_: object) -> None:
        raise RuntimeError("hush-hush")

    monkeypatch.setattr(ecr, "_token", fail)
    failure = await harness.failure(harness.token_source(), scope(EU))
    assert failure.reason is Reason.MALFORMED_ANSWER
    assert "RuntimeError" in failure.message
    assert "hush" not in str(failure)


async def test_requests_are_recorded_by_service(harness: AwsHarness) -> None:
    """ECR and ECR Public are two services, with quotas of their own."""
    source = harness.token_source()
    await source.fetch(scope(EU), demand())
    await source.fetch(scope(PUBLIC), demand())
    assert harness.recorder.tries == [("ecr", TOKEN, 200), ("ecr-public", TOKEN, 200)]


async def test_calls_for_credentials_are_recorded(harness: AwsHarness, fake: AwsFake, tmp_path: Path) -> None:
    """Including those that botocore makes internally for IRSA."""
    issuer = Issuer()
    fake.trust_issuer(issuer.url, issuer.jwks())
    fake.allow_role(ROLE, trusts_subjects=SUBJECT)
    (tmp_path / "token").write_text(issuer.token(SUBJECT))
    environment = fake.environment(web_identity_token_file=str(tmp_path / "token"), role_arn=ROLE)
    await harness.token_source(environment).fetch(scope(EU), demand())
    assert harness.recorder.tries == [("sts", "AssumeRoleWithWebIdentity", 200), ("ecr", TOKEN, 200)]


async def test_retries_of_botocore_are_recorded(
    harness: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call may be several requests, and AWS's limits count requests."""
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config(attempts=2))
    fake.throttle(operation=TOKEN)
    await harness.failure(harness.token_source(), scope(EU))
    assert harness.recorder.tries == [("ecr", TOKEN, 400)] * 2
    assert len(fake.calls) == 2


async def test_requests_without_a_response_are_recorded_as_0(harness: AwsHarness, fake: AwsFake) -> None:
    """Each attempt is recorded."""
    fake.reset(operation=TOKEN)
    await harness.failure(harness.token_source(), scope(EU))
    assert set(harness.recorder.tries) == {("ecr", TOKEN, 0)}
    assert len(harness.recorder.tries) == len(fake.calls)
