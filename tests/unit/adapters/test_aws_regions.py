"""The region of the controller's session, and regions that the account has not enabled."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest

from pullkeeper.adapters.aws.partitions import (
    is_listed,
    partition_of,
    partition_of_arn,
    primary_region,
    session_region,
    sts_region,
)
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from pullkeeper.tokens import call_queue
from tests.unit.adapters.identity_harness import BLUE, OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT

PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
IRSA_ROLE = f"arn:aws:iam::{ACCOUNT}:role/controller"
IRSA_SUBJECT = "system:serviceaccount:pullkeeper:controller"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
    with identity_harness(monkeypatch) as built:
        yield built


def without_region(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.endswith("REGION")}


@pytest.fixture
def irsa(harness: IdentityHarness, tmp_path: Path) -> IdentityHarness:
    """Give the process IRSA and no region, as the chart's defaults do."""
    harness.aws.allow_role(IRSA_ROLE, trusts_subjects=IRSA_SUBJECT)
    harness.aws.allow_role(BLUE, trusted_principals=IRSA_ROLE)
    (tmp_path / "token").write_text(harness.issuer.token(IRSA_SUBJECT))
    environment = harness.aws.environment(web_identity_token_file=str(tmp_path / "token"), role_arn=IRSA_ROLE)
    harness.configure(without_region(environment))
    return harness


def host(region: str, suffix: str = "amazonaws.com") -> RegistryHost:
    return parse(f"{ACCOUNT}.dkr.ecr.{region}.{suffix}")


@pytest.mark.parametrize(
    ("environment", "registries", "profile", "expected"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, ["us-west-2"], "ap-south-1", "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, ["us-west-2"], "ap-south-1", "eu-west-2"),
        ({}, ["us-west-2"], "ap-south-1", "ap-south-1"),
        ({}, ["us-west-2", "eu-west-1"], None, "us-west-2"),
        ({"AWS_ROLE_ARN": IRSA_ROLE.replace("aws:", "aws-cn:")}, ["us-west-2"], None, "us-west-2"),
        ({"AWS_ROLE_ARN": IRSA_ROLE.replace("aws:", "aws-cn:")}, [], None, "cn-northwest-1"),
        ({"AWS_ROLE_ARN": IRSA_ROLE.replace("aws:", "aws-us-gov:")}, [], None, "us-gov-west-1"),
        ({"AWS_ROLE_ARN": "nonsense"}, [], None, "us-east-1"),
        ({}, [], None, "us-east-1"),
        ({"AWS_REGION": ""}, [], None, "us-east-1"),
    ],
)
def test_session_region_comes_from_configuration_alone(
    environment: dict[str, str], registries: list[str], profile: str | None, expected: str
) -> None:
    """The first of: environment, profile, the installation's registries, the role's partition."""
    assert session_region(environment, [host(each) for each in registries], lambda: profile) == expected


def test_public_registry_says_least_of_the_region() -> None:
    """Its only region is that of its API."""
    public = parse("public.ecr.aws")
    assert session_region({}, [public, host("eu-west-1")], lambda: None) == "eu-west-1"
    assert session_region({}, [public], lambda: None) == "us-east-1"


def test_partitions_are_those_of_botocore() -> None:
    """Each region that it lists is in the partition that it says; unlisted ones go by their prefix."""
    session = botocore.session.Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("ecr", partition_name=partition):
            assert (partition_of(region), is_listed(region)) == (partition, True)
        assert partition_of(primary_region(partition)) == partition
    assert (partition_of("cn-north-77"), is_listed("cn-north-77")) == ("aws-cn", False)
    assert partition_of("nowhere-1") == "aws"
    assert not is_listed("aws-global")


def test_service_account_of_another_partition_asks_sts_there() -> None:
    """For that identity alone."""
    assert sts_region(OWN, "eu-west-1") == "eu-west-1"
    assert sts_region(OWN.replace("aws:", "aws-cn:"), "eu-west-1") == "cn-northwest-1"
    assert sts_region("arn:aws-made-up:iam::1:role/x", "eu-west-1") == "eu-west-1"
    assert partition_of_arn("") is None


async def test_namespaces_have_no_influence_on_the_session(irsa: IdentityHarness) -> None:
    """STS is asked in the session's region for every registry."""
    for region in ("me-south-1", "eu-west-1"):
        await irsa.fetch(CONTROLLER, region)
        await irsa.fetch(as_role(), region)
    assert {call.region for call in irsa.aws.calls if call.operation == "AssumeRole"} == {"us-east-1"}


async def test_region_that_is_not_enabled_costs_only_its_own_token(irsa: IdentityHarness) -> None:
    """Nobody else's credentials are dropped, and the failure names the account and the fix."""
    irsa.aws.disable_region("me-south-1")
    for identity in (CONTROLLER, as_role()):
        await irsa.fetch(identity, "eu-west-1")
    irsa.aws.forget_calls()
    for identity in (CONTROLLER, as_role(), CONTROLLER):
        found = await irsa.failure(identity, "me-south-1")
        assert found.reason is Reason.REGION_NOT_ENABLED
        assert f"enable the region in account {ACCOUNT}, or correct the registry's host" in found.message
        assert "in me-south-1 (UnrecognizedClientException)" in found.message
    for identity in (CONTROLLER, as_role()):
        await irsa.fetch(identity, "us-west-2")
    assert irsa.aws.count("AssumeRole") == irsa.aws.count("AssumeRoleWithWebIdentity") == 0


async def test_region_that_is_not_enabled_may_be_the_first(irsa: IdentityHarness) -> None:
    """After a restart too, the others are served."""
    irsa.aws.disable_region("me-south-1")
    assert (await irsa.failure(CONTROLLER, "me-south-1")).reason is Reason.REGION_NOT_ENABLED
    await irsa.fetch(CONTROLLER, "eu-west-1")
    assert irsa.aws.count("AssumeRoleWithWebIdentity") == 1


async def test_stale_credentials_are_told_from_the_region(harness: IdentityHarness) -> None:
    """STS does not know them either: they are renewed once, in a region that has never answered as well."""
    await harness.fetch(as_role(), "eu-west-1")
    assert harness.aws.expire_credentials() >= 1
    harness.aws.forget_calls()
    assert (await harness.fetch(as_role(), "us-west-2")).role_arn == BLUE
    assert harness.aws.count("AssumeRole") == 1


async def test_refusal_is_not_blamed_on_the_credentials_without_an_answer_of_sts(harness: IdentityHarness) -> None:
    """They are kept where the refusal may be the region's."""
    await harness.fetch(as_role(), "eu-west-1")
    harness.aws.disable_region("me-south-1")
    harness.aws.forget_calls()
    harness.aws.reset(operation="GetCallerIdentity")
    found = await harness.failure(as_role(), "me-south-1")
    assert (found.reason, harness.aws.count("AssumeRole")) == (Reason.CREDENTIALS_INVALID, 0)
    assert "whether the region is enabled for the account" in found.message


async def test_identities_do_not_share_the_loss_of_credentials(harness: IdentityHarness) -> None:
    """A refusal of one drops nothing of the controller's or another's."""
    await asyncio.gather(harness.fetch(as_role()), harness.fetch(PULLER), harness.fetch())
    harness.aws.expire_credentials(BLUE)
    harness.aws.forget_calls()
    for identity in (as_role(), PULLER, CONTROLLER):
        await harness.fetch(identity)
    assert (harness.aws.count("AssumeRole"), harness.aws.count("AssumeRoleWithWebIdentity")) == (1, 0)


async def test_failure_of_sts_names_its_host(irsa: IdentityHarness) -> None:
    """Not ECR in the region of the registry, which was never asked."""
    irsa.aws.network.unreachable("sts.us-east-1.amazonaws.com")
    found = await irsa.failure(CONTROLLER, "ap-south-2")
    assert found.reason is Reason.NETWORK_UNREACHABLE
    assert "no response from STS at sts.us-east-1.amazonaws.com" in found.message
    assert "ap-south-2" not in found.message
