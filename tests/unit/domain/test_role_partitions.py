"""Whether the roles of the settings can be used at all: credentials are valid in one partition only."""

import pytest

from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr import registry_host
from testsupport.examples import EU, PUBLIC

BEIJING = registry_host.parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")
GOV = registry_host.parse("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com")


def misfits(
    *registries: str, partition: str = "aws", own: str = "aws", defaults: tuple[registry_host.RegistryHost, ...] = ()
) -> tuple[str, ...]:
    role = f"arn:{partition}:iam::123456789012:role/team-*"
    grant = RoleGrant(role=role, registries=registries or ("*",))
    return role_partitions.misfits(Policy(registries=defaults, roles=(grant,)), own)


@pytest.mark.parametrize(("partition", "own"), [("aws-cn", "aws"), ("aws", "aws-us-gov"), ("aws-of-tomorrow", "aws")])
def test_no_role_of_another_partition_can_be_assumed(partition: str, own: str) -> None:
    """Whatever its registries are."""
    (found,) = misfits(partition=partition, own=own)
    assert found == (
        f"roles[0] (arn:{partition}:iam::123456789012:role/team-*) is of partition {partition}, "
        f"the controller's credentials are of {own}"
    )


@pytest.mark.parametrize(
    ("partition", "registries", "fits"),
    [
        ("aws", ["*"], True),
        ("aws", ["*.amazonaws.com"], True),
        ("aws", ["*.on.aws"], True),
        ("aws", ["public.ecr.aws"], True),
        ("aws", ["*.ecr.aws"], True),
        ("aws", ["*.amazonaws.com.cn", EU.name], True),
        ("aws", ["*.amazonaws.com.cn"], False),
        ("aws", [GOV.name, BEIJING.name], False),
        ("aws", ["nonsense"], False),
        ("aws-cn", ["*.amazonaws.com"], False),
        ("aws-cn", ["public.ecr.aws"], False),
        ("aws-cn", ["*.ecr.aws"], False),
        ("aws-cn", ["123456789012.*"], True),
        ("aws-us-gov", [GOV.name], True),
        ("aws-us-gov", [EU.name], False),
    ],
)
def test_a_role_needs_a_registry_of_its_partition(partition: str, registries: list[str], *, fits: bool) -> None:
    """Of patterns it is enough that some host of the partition could match."""
    found = misfits(*registries, partition=partition, own=partition)
    assert [each.partition("and ")[2] for each in found] == (
        [] if fits else [f"none of its registries is: {', '.join(registries)}"]
    )


def test_a_role_must_fit_one_of_the_default_registries_that_it_covers() -> None:
    """A namespace that names no registries gets all of them; what the role does not cover is not its business."""
    (found,) = misfits(partition="aws-cn", own="aws-cn", defaults=(EU, PUBLIC))
    assert found.endswith(f"is of partition aws-cn, and none of the default registries is: {EU}, {PUBLIC}")
    assert misfits(partition="aws-cn", own="aws-cn", defaults=(EU, BEIJING)) == ()
    assert misfits("*.cn", partition="aws-cn", own="aws-cn", defaults=(EU,)) == ()


def test_each_role_is_judged_by_itself() -> None:
    """And named by its place in the settings."""
    roles = tuple(RoleGrant(role=f"arn:{each}:iam::123456789012:role/x") for each in ("aws", "aws-cn", "aws"))
    (found,) = role_partitions.misfits(Policy(roles=roles), "aws")
    assert found.startswith("roles[1] (arn:aws-cn:")
    assert role_partitions.misfits(Policy(), "aws") == ()
