"""The door to AWS: as whom it asks, and whom it refuses to be."""

import asyncio
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.session
import pytest

from pullkeeper.adapters.aws import ecr, sts
from pullkeeper.domain.errors.failures import Reason
from tests.unit.adapters.aws_harness import AwsHarness, quick
from testsupport.examples import EU, PUBLIC, US, scope
from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, serve_in_thread
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
def house(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AwsHarness]:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    house = AwsHarness(fake, monkeypatch)
    yield house
    house.search(caplog.text)


@pytest.fixture
def irsa(fake: AwsFake, tmp_path: Path) -> dict[str, str]:
    """Give the environment of a pod with a role by IRSA."""
    (tmp_path / "token").write_text(issuer().token(SUBJECT))
    return fake.environment(web_identity_token_file=str(tmp_path / "token"), role_arn=ROLE)


async def test_static_keys_serve(house: AwsHarness, fake: AwsFake) -> None:
    """As their user."""
    await house.door().fetch(scope(EU))
    assert [call.principal for call in fake.calls] == [USER_ARN]


async def test_irsa_serves(house: AwsHarness, fake: AwsFake, irsa: dict[str, str]) -> None:
    """As the role's session; one call to STS serves every region."""
    door = house.door(irsa)
    for host in (EU, US, PUBLIC):
        await door.fetch(scope(host))
    assert {call.principal for call in fake.calls if call.service != "sts"} == {SESSION}
    assert fake.count("AssumeRoleWithWebIdentity") == 1


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({}, "us-west-2"),
    ],
)
async def test_the_session_lives_in_the_home_region(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch, home: dict[str, str], expected: str
) -> None:
    """Not in that of whichever registry came first, unless there is no other: STS is asked there."""
    regions: list[str | None] = []

    def session(botocore_session: botocore.session.Session, region_name: str) -> boto3.Session:
        regions.append(region_name)
        return boto3.Session(botocore_session=botocore_session, region_name=region_name)

    environment = {name: value for name, value in fake.environment().items() if not name.endswith("REGION")}
    door = house.door(environment | home)
    monkeypatch.setattr("pullkeeper.adapters.aws.sts.boto3", SimpleNamespace(Session=session))
    await door.fetch(scope(US))
    assert regions == [expected]
    assert fake.calls[-1].region == "us-west-2"


async def test_a_hang_of_sts_ends_by_the_short_timeout_too(
    house: AwsHarness, fake: AwsFake, irsa: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that botocore nests for IRSA would wait for a minute by itself."""
    fake.hang(service="sts")
    for module in (sts, ecr):
        monkeypatch.setattr(module, "QUICK", quick(seconds=0.5))
    assert (await house.refused(house.door(irsa), scope(EU))).reason is Reason.NETWORK_UNREACHABLE
    assert fake.count(service="sts") == 1


async def test_pod_identity_serves(house: AwsHarness, fake: AwsFake, tmp_path: Path) -> None:
    """As the associated role."""
    (tmp_path / "token").write_text("a-fixed-token")
    fake.associate(ROLE, token="a-fixed-token")
    await house.door(fake.environment(container_token_file=str(tmp_path / "token"))).fetch(scope(EU))
    assert fake.calls[-1].role_arn == ROLE


async def test_the_nodes_role_is_refused(house: AwsHarness, fake: AwsFake) -> None:
    """Botocore would fall back to it in silence: it is said what to do, and ECR is not asked."""
    fake.set_node_role(ROLE)
    door = house.door(fake.environment(instance_metadata=True))
    for _ in range(2):
        failure = await house.refused(door, scope(EU))
        assert failure.reason is Reason.NODE_ROLE_REFUSED
        assert "allowNodeInstanceRole" in failure.message
    assert fake.count("GetAuthorizationToken") == 0


async def test_the_nodes_role_serves_if_it_is_meant(house: AwsHarness, fake: AwsFake) -> None:
    """With allowNodeInstanceRole."""
    fake.set_node_role(ROLE)
    await house.door(fake.environment(instance_metadata=True), allow_node_instance_role=True).fetch(scope(EU))
    assert fake.calls[-1].role_arn == ROLE


async def test_no_credentials_at_all_are_missing(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as soon as there are some, they are found, without a restart."""
    keys = fake.environment()
    bare = {name: value for name, value in keys.items() if "KEY" not in name}
    door = house.door(bare)
    failure = await house.refused(door, scope(EU))
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert "give the controller's ServiceAccount a role" in failure.message
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert (await door.fetch(scope(EU))).auth.reveal()


async def test_half_of_the_keys_are_missing_credentials(house: AwsHarness, fake: AwsFake) -> None:
    """An access key without its secret."""
    half = {name: value for name, value in fake.environment().items() if name != "AWS_SECRET_ACCESS_KEY"}
    assert (await house.refused(house.door(half), scope(EU))).reason is Reason.CREDENTIALS_MISSING


async def test_a_token_file_that_is_not_mounted_is_said_to_be(house: AwsHarness, fake: AwsFake, tmp_path: Path) -> None:
    """And it is read as soon as it is there."""
    file = tmp_path / "token"
    door = house.door(fake.environment(web_identity_token_file=str(file), role_arn=ROLE))
    failure = await house.refused(door, scope(EU))
    assert failure.reason is Reason.CREDENTIALS_MISSING
    assert "projected token is mounted" in failure.message
    file.write_text(issuer().token(SUBJECT))
    assert (await door.fetch(scope(EU))).auth.reveal()


async def test_a_role_that_does_not_trust_us_points_to_its_trust_policy(
    house: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """STS refused, not ECR, and the role's name is said."""
    fake.allow_role(ROLE, trusts_subjects="system:serviceaccount:other:other")
    failure = await house.refused(house.door(irsa), scope(EU))
    assert failure.reason is Reason.ACCESS_DENIED
    assert "trust policy must allow sts:AssumeRoleWithWebIdentity" in failure.message
    assert failure.message.startswith(f"STS refused AssumeRoleWithWebIdentity for {ROLE}")


async def test_a_denial_by_ecr_names_the_role(house: AwsHarness, fake: AwsFake, irsa: dict[str, str]) -> None:
    """Whoever grants it needs to know to whom."""
    fake.allow_role(ROLE, trusts_subjects=SUBJECT, ecr_regions="us-west-2")
    failure = await house.refused(house.door(irsa), scope(EU))
    assert failure.reason is Reason.ACCESS_DENIED
    assert f"for {ROLE} in eu-west-1" in failure.message


async def test_credentials_that_have_died_are_renewed_once(
    house: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """Botocore does not do that: a new session is made and the call tried again, unseen from outside."""
    door = house.door(irsa)
    await door.fetch(scope(EU))
    fake.expire_credentials()
    fake.forget_calls()
    assert (await door.fetch(scope(EU))).auth.reveal()
    outcomes = [(call.operation, call.outcome) for call in fake.calls]
    assert outcomes == [
        ("GetAuthorizationToken", "ExpiredTokenException"),
        ("AssumeRoleWithWebIdentity", "ok"),
        ("GetAuthorizationToken", "ok"),
    ]
    assert house.counts.requests == [(scope(EU), None)] * 2


async def test_credentials_that_stay_dead_are_told_after_one_renewal(
    house: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """No more than one more try, and the advice names what can be wrong."""
    fake.fail("ExpiredTokenException", 400, service="ecr")
    failure = await house.refused(house.door(irsa), scope(EU))
    assert failure.reason is Reason.CREDENTIALS_INVALID
    assert "the projected token" in failure.message
    assert fake.count("GetAuthorizationToken") == 2


async def test_many_at_once_renew_dead_credentials_together(
    house: AwsHarness, fake: AwsFake, irsa: dict[str, str]
) -> None:
    """All of them are served, and none is left without a session by another's renewal."""
    door = house.door(irsa)
    scopes = [scope(host) for host in (EU, US, PUBLIC)]
    await asyncio.gather(*(door.fetch(each) for each in scopes))
    fake.expire_credentials()
    tokens = await asyncio.gather(*(door.fetch(each) for each in scopes))
    assert all(token.auth.reveal() for token in tokens)


async def test_an_agent_that_refuses_is_trouble_with_credentials(
    house: AwsHarness, fake: AwsFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Pod Identity gives nothing, ECR was never asked, so its reader is pointed to the credentials."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    (tmp_path / "token").write_text("wrong")
    failure = await house.refused(house.door(fake.environment(container_token_file=str(tmp_path / "token"))), scope(EU))
    assert failure.reason in {Reason.CREDENTIALS_MISSING, Reason.CREDENTIALS_INVALID}
