"""The controller's credentials: where they come from, and how they are renewed."""

import asyncio
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients
from pullkeeper.domain.errors.failures import Reason
from tests.unit.adapters.aws_harness import AwsHarness, client_config
from testsupport.examples import EU, PUBLIC, US, demand, scope
from testsupport.fake_aws import ACCOUNT, AwsFake, serve_in_thread
from testsupport.fake_aws.issuer import Issuer

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/pullkeeper/pullkeeper"
SUBJECT = "system:serviceaccount:pullkeeper:pullkeeper"


@cache
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        running.trust_issuer(issuer().url, issuer().jwks())
        running.allow_role(ROLE, trusts_subjects=SUBJECT)
        yield running


@pytest.fixture
def harness(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AwsHarness]:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    harness = AwsHarness(fake, monkeypatch)
    yield harness
    harness.check_no_secret(caplog.text)


@pytest.fixture
def irsa(fake: AwsFake, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a pod with IRSA."""
    (tmp_path / "token").write_text(issuer().token(SUBJECT))
    return fake.environment(web_identity_token_file=str(tmp_path / "token"), role_arn=ROLE)


async def test_irsa_session_serves_every_region(harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]) -> None:
    """One call to STS is enough."""
    source = harness.token_source(irsa)
    for host in (EU, US, PUBLIC):
        await source.fetch(scope(host), demand())
    assert {call.principal for call in fake.calls if call.service != "sts"} == {SESSION}
    assert fake.count("AssumeRoleWithWebIdentity") == 1


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({}, "us-east-1"),
    ],
)
async def test_session_is_in_the_configured_region(
    harness: AwsHarness, fake: AwsFake, irsa: dict[str, str], home: dict[str, str], expected: str
) -> None:
    """STS is called there, whatever region a namespace asks for."""
    environment = {name: value for name, value in irsa.items() if not name.endswith("REGION")}
    source = harness.token_source(environment | home)
    await source.fetch(scope(US), demand())
    assert fake.calls[-1].region == "us-west-2"
    assert await source.caller_arn() == SESSION
    assert [call.region for call in fake.calls if call.operation == "GetCallerIdentity"] == [expected]


async def test_hanging_sts_ends_with_the_short_timeout(
    harness: AwsHarness, fake: AwsFake, irsa: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that botocore creates internally for IRSA would wait for a minute by default."""
    fake.hang(service="sts")
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config(seconds=0.5))
    assert (await harness.failure(harness.token_source(irsa), scope(EU))).reason is Reason.NETWORK_UNREACHABLE
    assert fake.count(service="sts") == 1


async def test_credentials_are_found_once_they_exist(
    harness: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any the failure says where to add some; no restart is needed afterwards."""
    keys = fake.environment()
    bare = {name: value for name, value in keys.items() if "KEY" not in name}
    source = harness.token_source(bare)
    failure = await harness.failure(source, scope(EU))
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert "give the controller's ServiceAccount a role" in failure.message
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert (await source.fetch(scope(EU), demand())).auth.reveal()


async def test_access_key_without_its_secret_counts_as_missing(harness: AwsHarness, fake: AwsFake) -> None:
    """The failure has the same reason as without any credentials."""
    half = {name: value for name, value in fake.environment().items() if name != "AWS_SECRET_ACCESS_KEY"}
    assert (await harness.failure(harness.token_source(half), scope(EU))).reason is Reason.CREDENTIALS_MISSING


async def test_token_file_that_is_not_mounted_is_reported(harness: AwsHarness, fake: AwsFake, tmp_path: Path) -> None:
    """It is read as soon as it exists."""
    file = tmp_path / "token"
    source = harness.token_source(fake.environment(web_identity_token_file=str(file), role_arn=ROLE))
    failure = await harness.failure(source, scope(EU))
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert "projected token is mounted" in failure.message
    file.write_text(issuer().token(SUBJECT))
    assert (await source.fetch(scope(EU), demand())).auth.reveal()


async def test_refusal_of_sts_points_to_the_trust_policy(
    harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """STS refused the call, not ECR, and the failure names the role."""
    fake.allow_role(ROLE, trusts_subjects="system:serviceaccount:other:other")
    failure = await harness.failure(harness.token_source(irsa), scope(EU))
    assert failure.reason is Reason.ACCESS_DENIED
    assert "trust policy must allow sts:AssumeRoleWithWebIdentity" in failure.message
    asked = "STS at sts.eu-west-1.amazonaws.com"
    assert failure.message.startswith(f"{asked} refused AssumeRoleWithWebIdentity for {ROLE}")


async def test_refusal_of_ecr_names_the_role(harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]) -> None:
    """It says to which principal the permission must be granted."""
    fake.allow_role(ROLE, trusts_subjects=SUBJECT, ecr_regions="us-west-2")
    failure = await harness.failure(harness.token_source(irsa), scope(EU))
    assert failure.reason is Reason.ACCESS_DENIED
    assert f"for {ROLE} in eu-west-1" in failure.message


async def test_expired_credentials_are_renewed_within_the_fetch(
    harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """Botocore does not do so: a new session is created and the call is retried."""
    source = harness.token_source(irsa)
    await source.fetch(scope(EU), demand())
    fake.expire_credentials()
    fake.forget_calls()
    assert (await source.fetch(scope(EU), demand())).auth.reveal()
    outcomes = [(call.operation, call.outcome) for call in fake.calls]
    assert outcomes == [
        ("GetAuthorizationToken", "ExpiredTokenException"),
        ("AssumeRoleWithWebIdentity", "ok"),
        ("GetAuthorizationToken", "ok"),
    ]
    assert harness.recorder.requests == [(scope(EU), None)] * 2


async def test_credentials_are_renewed_once_per_fetch(harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]) -> None:
    """If they still do not work, the failure names what may be wrong."""
    fake.fail("ExpiredTokenException", 400, service="ecr")
    failure = await harness.failure(harness.token_source(irsa), scope(EU))
    assert failure.reason is Reason.CREDENTIALS_INVALID
    assert "the projected token" in failure.message
    assert fake.count("GetAuthorizationToken") == 2


async def test_concurrent_fetches_renew_expired_credentials(
    harness: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """All of them succeed, whichever renews the session."""
    source = harness.token_source(irsa)
    scopes = [scope(host) for host in (EU, US, PUBLIC)]
    await asyncio.gather(*(source.fetch(each, demand()) for each in scopes))
    fake.expire_credentials()
    tokens = await asyncio.gather(*(source.fetch(each, demand()) for each in scopes))
    assert all(token.auth.reveal() for token in tokens)


async def test_refusal_of_the_pod_identity_agent_is_a_credentials_failure(
    harness: AwsHarness, fake: AwsFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECR was never called, so the failure must not point to it."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    (tmp_path / "token").write_text("wrong")
    failure = await harness.failure(
        harness.token_source(fake.environment(container_token_file=str(tmp_path / "token"))), scope(EU)
    )
    assert failure.reason is Reason.ACCESS_DENIED
    assert failure.message.startswith("getting credentials as the controller's own identity: ")
