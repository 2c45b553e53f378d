"""Whether the roles that the settings allow can be used at all: credentials are valid in one AWS partition only."""

from collections.abc import Iterator, Sequence

from pullkeeper.domain.config.pattern import matches_any, overlap
from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.partitions import PARTITIONS, partition_of
from pullkeeper.domain.ecr.registry_host import PUBLIC_HOSTS, PUBLIC_REGION, RegistryHost
from pullkeeper.domain.errors.text import listed


def misfits(policy: Policy, own: str) -> tuple[str, ...]:
    """Return what is wrong with each of `roles` that cannot be used.

    `own` is the partition of the controller's identity without a name. One with a name whose partition is not known
    may be of any.
    """
    named = {each.partition for each in policy.identities}
    possible = () if "" in named else (own, *sorted(named - {own}))
    found = ((index, grant, _misfit(grant, policy.registries, possible)) for index, grant in enumerate(policy.roles))
    return tuple(f"roles[{index}] ({grant.role}) {why}" for index, grant, why in found if why)


def _misfit(grant: RoleGrant, defaults: Sequence[RegistryHost], possible: Sequence[str]) -> str:
    partition = _partition(grant)
    if possible and partition not in possible:
        return f"is of partition {partition}, the controller's credentials are of {listed(possible)}"
    if not any(may_be_of(partition, given) for given in grant.registries):
        return f"is of partition {partition}, and none of its registries is: {listed(grant.registries)}"
    covered = [host for host in defaults if matches_any(grant.registries, host.name)]
    if covered and all(host.partition != partition for host in covered):
        return f"is of partition {partition}, and none of the default registries is: {listed(covered)}"
    return ""


def _partition(grant: RoleGrant) -> str:
    return grant.role.split(":", 2)[1]


def may_be_of(partition: str, pattern: str) -> bool:
    """Whether a pattern of registry hosts matches any of a partition."""
    if "*" in pattern:
        return any(overlap(pattern, possible) for possible in host_patterns(partition))
    try:
        return registry_host.parse(pattern).partition == partition
    except ValueError:
        return False


def host_patterns(partition: str) -> Iterator[str]:
    """Return patterns of all registry hosts of a partition."""
    for each in PARTITIONS:
        if each.name == partition:
            yield from (f"*.{suffix}" for suffix in each.suffixes if suffix)
    if partition_of(PUBLIC_REGION).name == partition:
        yield from sorted(PUBLIC_HOSTS)
