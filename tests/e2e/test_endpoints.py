"""Regions, partitions and endpoint variants, by the real names: one that does not serve costs one namespace."""

from collections.abc import Mapping

import pytest

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import IRELAND, VIRGINIA, Installation, auths

pytestmark = pytest.mark.slow

BAHRAIN = f"{ACCOUNT}.dkr.ecr.me-south-1.amazonaws.com"
FRANKFURT = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"
NO_FIPS = f"{ACCOUNT}.dkr.ecr-fips.eu-west-1.amazonaws.com"
"""Ireland has no FIPS endpoint."""
DUAL_STACK = f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws"
ERRORS = "pullkeeper_token_request_errors_total"


def _sts_hosts(installation: Installation) -> set[str | None]:
    return {call.host for call in installation.aws.calls if call.service == "sts"}


async def _hosts(installation: Installation, namespace: str) -> set[str]:
    secret = await installation.secret(namespace)
    assert secret is not None
    return set(auths(secret))


async def test_a_region_that_is_not_enabled_costs_one_namespace(installation: Installation) -> None:
    """Without AWS_REGION, as the chart leaves it: before and after a restart the others are served by one session."""
    installation.aws.disable_region("me-south-1")
    process = await installation.start()
    mistaken = await installation.create_namespace(enabled="true", registries=BAHRAIN)
    event = await installation.event(mistaken, "TokenFetchFailed")
    assert "me-south-1" in event["note"]
    assert await process.metric(ERRORS, reason="RegionNotEnabled") >= 1
    await installation.create_served_namespace(registries=IRELAND)
    await process.stop()
    again = await installation.start()
    for host in (VIRGINIA, FRANKFURT):
        await installation.create_served_namespace(registries=host)
    await again.until_metric(3, "pullkeeper_namespaces", state="ready")
    assert installation.aws.count("AssumeRoleWithWebIdentity") == 2
    assert _sts_hosts(installation) == {"sts.eu-west-1.amazonaws.com"}


async def test_a_variant_that_does_not_exist_costs_one_namespace(installation: Installation) -> None:
    """FIPS is not given up where a host asks for it, and its plain neighbour in the same region is served."""
    await installation.start()
    mistaken = await installation.create_namespace(enabled="true", registries=NO_FIPS)
    event = await installation.event(mistaken, "TokenFetchFailed")
    assert "api.ecr-fips.eu-west-1.amazonaws.com" in event["note"]
    team = await installation.create_served_namespace(registries=IRELAND)
    both = await installation.create_namespace(enabled="true", registries=f"{NO_FIPS},{IRELAND}")
    await installation.event(both, "PullSecretCreated")
    assert await _hosts(installation, team) == await _hosts(installation, both) == {IRELAND}
    assert await installation.secret(mistaken) is None
    assert installation.aws.count("GetAuthorizationToken") == 1


async def test_a_refresh_request_does_not_hurry_a_variant_that_fails(installation: Installation) -> None:
    """However often it is made: the wait after a failure holds."""
    await installation.start()
    mistaken = await installation.create_namespace(enabled="true", registries=NO_FIPS)
    await installation.event(mistaken, "TokenFetchFailed")
    before = installation.aws.network.asked.count("api.ecr-fips.eu-west-1.amazonaws.com")
    for number in range(20):
        await installation.annotate(mistaken, refresh_requested_at=str(number))
        await installation.create_served_namespace(registries=IRELAND)
    asked = installation.aws.network.asked.count("api.ecr-fips.eu-west-1.amazonaws.com")
    assert asked - before < 10, "three tries a fetch, and not one fetch for each request"


async def test_a_dual_stack_host_is_served_by_the_plain_endpoint(installation: Installation) -> None:
    """The private DNS of a PrivateLink endpoint has the plain name only."""
    installation.aws.network.unreachable("*.api.aws")
    await installation.start()
    team = await installation.create_served_namespace(registries=f"{DUAL_STACK},{IRELAND}")
    assert await _hosts(installation, team) == {DUAL_STACK, IRELAND}
    assert {call.host for call in installation.aws.calls if call.service == "ecr"} == {
        "api.ecr.eu-west-1.amazonaws.com"
    }


@pytest.mark.parametrize(
    ("variable", "host"),
    [
        ("AWS_USE_FIPS_ENDPOINT", f"{ACCOUNT}.dkr-ecr.us-east-1.on.aws"),
        ("AWS_USE_DUALSTACK_ENDPOINT", f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com"),
    ],
)
async def test_the_environment_demands_more_than_the_host(installation: Installation, variable: str, host: str) -> None:
    """FIPS that either of them asks for is asked for. With keys: dual-stack endpoints of STS do not exist."""
    environment = {**installation.aws.environment(region="us-east-1"), variable: "true"}
    await installation.start({"registries": [host]}, environment=environment)
    await installation.create_served_namespace()
    asked = {call.host or "" for call in installation.aws.calls if call.service == "ecr"}
    assert asked
    assert all("fips" in each for each in asked)


@pytest.mark.parametrize(
    ("partition", "region", "suffix"),
    [
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-iso", "us-iso-east-1", "c2s.ic.gov"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ],
)
async def test_every_partition_is_asked_in_its_own_region(
    installation: Installation, partition: str, region: str, suffix: str
) -> None:
    """Without AWS_REGION the first default registry says where."""
    role = f"arn:{partition}:iam::{ACCOUNT}:role/pullkeeper"
    installation.aws.allow_role(role, trusts_subjects=installation.subject)
    environment: Mapping[str, str] = installation.irsa(role_arn=role)
    host = f"{ACCOUNT}.dkr.ecr.{region}.{suffix}"
    await installation.start({"registries": [host]}, environment=environment)
    team = await installation.create_served_namespace()
    assert await _hosts(installation, team) == {host}
    assert _sts_hosts(installation) == {f"sts.{region}.{suffix}"}
