"""The AWS partition of each registry host."""

import re
from typing import Any

import botocore.loaders
import botocore.session
import pytest

from pullkeeper.domain.ecr.partitions import PARTITIONS, partition_of
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


@pytest.mark.parametrize("text", [host for host in HOSTS if "fips" not in host])
def test_a_region_is_accepted_in_the_domains_of_its_own_partition_only(text: str) -> None:
    """And the error names the host with the right domain."""
    own = parse(text)
    partition = partition_of(own.region)
    for suffix in {
        suffix for each in PARTITIONS for suffix in each.suffixes if suffix not in {"", *partition.suffixes}
    }:
        wrong = f"{ACCOUNT}.dkr.ecr.{own.region}.{suffix}"
        right = partition.dual_stack_suffix if suffix.startswith("on.") else ""
        dash = "-" if right else "."
        fixed = f'"{ACCOUNT}.dkr{dash}ecr.{own.region}.{right or partition.suffix}": '
        with pytest.raises(ValueError, match=f"^{re.escape(fixed)}{own.region} is a region of .* {own.partition}$"):
            parse(wrong)


@pytest.mark.parametrize("region", ["fips-us-east-1", "us-east-1-fips"])
def test_a_pseudo_region_is_rejected_with_the_fips_host(region: str) -> None:
    """SDKs once named their FIPS endpoints so."""
    with pytest.raises(ValueError, match=f'"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com"'):
        parse(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com")


@pytest.mark.parametrize(
    "region", ["some-where-1", "us-gov-west", "aws-global", "us-east", "us-east-1a", "us-east-111", "eu-x-1", "fips-eu"]
)
def test_what_no_partition_calls_a_region_is_rejected(region: str) -> None:
    """It names what was taken for the region."""
    with pytest.raises(ValueError, match=f'a region such as eu-west-1.*"{region.removeprefix("fips-")}" is none'):
        parse(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com")


def sdk_partitions() -> dict[str, Any]:
    """The table that botocore ships, by the name of the partition."""
    document = botocore.loaders.create_loader().load_data("partitions")
    return {each["id"]: each for each in document["partitions"]}


def test_partitions_have_the_domains_and_region_names_of_the_sdk() -> None:
    """A new prefix in the SDK's table must be taken over."""
    ours = {each.name: (each.suffix, f"{each.region_prefix}-w+-d+") for each in PARTITIONS}
    sdk = {
        name: (each["outputs"]["dnsSuffix"], re.sub(r"[\\^$()]", "", each["regionRegex"]))
        for name, each in sdk_partitions().items()
    }
    assert ours == sdk


def test_every_region_of_the_sdk_is_of_its_partition() -> None:
    """Its pseudo regions for global endpoints are of none."""
    for name, each in sdk_partitions().items():
        for region in each["regions"]:
            owners = [partition.name for partition in PARTITIONS if partition.has(region)]
            assert owners == ([] if region.endswith("-global") else [name])
