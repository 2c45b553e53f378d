"""The AWS partition of each registry host."""

import botocore.session
import pytest

from pullkeeper.domain.ecr.registry_host import PUBLIC_HOSTS, parse

ACCOUNT = "123456789012"
HOSTS = {
    f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com": "aws",
    f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com": "aws",
    f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws": "aws",
    f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws": "aws",
    f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn": "aws-cn",
    f"{ACCOUNT}.dkr.ecr.cn-northwest-1.amazonaws.com.cn": "aws-cn",
    f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn": "aws-cn",
    f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com": "aws-us-gov",
    f"{ACCOUNT}.dkr.ecr-fips.us-gov-east-1.amazonaws.com": "aws-us-gov",
    f"{ACCOUNT}.dkr-ecr.us-gov-west-1.on.aws": "aws-us-gov",
    f"{ACCOUNT}.dkr-ecr-fips.us-gov-west-1.on.aws": "aws-us-gov",
    f"{ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov": "aws-iso",
    f"{ACCOUNT}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov": "aws-iso-b",
    f"{ACCOUNT}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk": "aws-iso-e",
    f"{ACCOUNT}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov": "aws-iso-f",
    f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu": "aws-eusc",
}


@pytest.mark.parametrize(("text", "partition"), HOSTS.items())
def test_the_partition_follows_from_the_host(text: str, partition: str) -> None:
    """From its domain or region, including FIPS and dual-stack hosts."""
    assert parse(text).partition == partition


@pytest.mark.parametrize("text", HOSTS)
def test_the_partition_is_the_same_as_in_botocore(text: str) -> None:
    """By the SDK's own table of partitions and regions."""
    host = parse(text)
    assert botocore.session.Session().get_partition_for_region(host.region) == host.partition


def test_every_partition_has_a_host_in_the_table() -> None:
    """A partition that the SDK adds must be handled here."""
    assert set(botocore.session.Session().get_available_partitions()) == set(HOSTS.values())


@pytest.mark.parametrize("text", sorted(PUBLIC_HOSTS))
def test_the_public_registry_is_in_the_commercial_partition(text: str) -> None:
    """ECR Public has an API in us-east-1 only, so only principals of that partition get its tokens."""
    assert parse(text).partition == "aws"


@pytest.mark.parametrize("suffix", ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov"])
def test_the_domain_decides_before_the_region(suffix: str) -> None:
    """An unknown region in a partition's domain belongs to that partition."""
    expected = {
        "amazonaws.com": "aws",
        "amazonaws.com.cn": "aws-cn",
        "amazonaws.eu": "aws-eusc",
        "c2s.ic.gov": "aws-iso",
        "sc2s.sgov.gov": "aws-iso-b",
    }
    assert parse(f"{ACCOUNT}.dkr.ecr.some-where-1.{suffix}").partition == expected[suffix]
