"""Partitions and regions as botocore's data lists them, and the region of the controller's own session."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.loaders import create_loader

from pullkeeper.domain.ecr import partitions
from pullkeeper.domain.ecr.registry_host import RegistryHost

_DEFAULT_REGION = "us-east-1"
_GLOBAL_SUFFIX = "-global"


@cache
def _partitions() -> Mapping[str, Mapping[str, Any]]:
    create: Callable[[], Any] = create_loader  # the library has no types
    return {each["id"]: each for each in create().load_data("partitions")["partitions"]}


@cache
def _listed() -> frozenset[str]:
    """Return every region."""
    regions = (region for partition in _partitions().values() for region in partition["regions"])
    return frozenset(region for region in regions if not region.endswith(_GLOBAL_SUFFIX))


def is_listed(region: str) -> bool:
    """Whether botocore's data lists a region; AWS opens new ones from time to time."""
    return region in _listed()


def partition_of(region: str) -> str:
    """Return the partition of a region, "aws" for what no partition names a region so."""
    try:
        return partitions.partition_of(region).name
    except ValueError:
        return "aws"


def partition_of_arn(arn: str) -> str | None:
    """Return the partition that an ARN names; None where it names no known one."""
    parts = arn.split(":")
    return parts[1] if len(parts) > 1 and parts[1] in _partitions() else None


def dns_suffix(partition: str, *, dual_stack: bool) -> str:
    """Return the domain of a partition's API endpoints."""
    return str(_partitions()[partition]["outputs"]["dualStackDnsSuffix" if dual_stack else "dnsSuffix"])


def primary_region(partition: str) -> str:
    """Return the region that stands for a partition."""
    return str(_partitions()[partition]["outputs"]["implicitGlobalRegion"])


def session_region(
    environment: Mapping[str, str], registries: Sequence[RegistryHost], profile_region: Callable[[], str | None]
) -> str:
    """Return the region of the controller's own session, from configuration alone.

    In this order: the environment, the shared profile, the installation's first registry, the partition of the role
    in the environment, us-east-1. What a namespace asks for has no influence.
    """
    configured = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or profile_region()
    if configured:
        return configured
    if registries:
        return next((host.region for host in registries if not host.public), registries[0].region)
    partition = partition_of_arn(environment.get("AWS_ROLE_ARN", ""))
    return primary_region(partition) if partition else _DEFAULT_REGION


def sts_region(role_arn: str, home: str) -> str:
    """Return where to assume a role with a token alone: at home, or in the role's own partition."""
    partition = partition_of_arn(role_arn)
    return home if partition in (None, partition_of(home)) else primary_region(partition)
