"""Whether the roles that the settings allow can be used at all: credentials are valid in one AWS partition only."""

from collections.abc import Iterator, Mapping

from pullkeeper.domain.config.pattern import matches_any, overlap
from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.partitions import PARTITIONS, partition_of
from pullkeeper.domain.ecr.registry_host import PUBLIC_HOSTS, PUBLIC_REGION, RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity


def misfits(policy: Policy, own: str) -> tuple[str, ...]:
    """Return what is wrong with each of `roles` that cannot be used.

    `own` is the partition of the controller's identity without a name. An identity whose partition is not known may be
    of any.
    """
    partitions = of_identities(policy, own)
    found = ((index, grant, _misfit(grant, policy, partitions)) for index, grant in enumerate(policy.roles))
    return tuple(f"roles[{index}] ({grant.role}) {why}" for index, grant, why in found if why)


def of_identities(policy: Policy, own: str) -> Mapping[Identity, str]:
    """Return the partition of each of the controller's identities, "" where it is not known."""
    return {CONTROLLER: own, **{identity.own(each.name): each.partition for each in policy.identities}}


def _misfit(grant: RoleGrant, policy: Policy, partitions: Mapping[Identity, str]) -> str:
    partition = _partition(grant)
    possible = list(dict.fromkeys(partitions.values()))
    if "" not in possible and partition not in possible:
        return f"is of partition {partition}, the controller's credentials are of {listed(possible)}"
    if not any(may_be_of(partition, given) for given in grant.registries):
        return f"is of partition {partition}, and none of its registries is: {listed(grant.registries)}"
    covered = [host for host in policy.registries if matches_any(grant.registries, host.name)]
    if covered and all(host.partition != partition for host in covered):
        return f"is of partition {partition}, and none of the default registries is: {listed(covered)}"
    usable = [host for host in covered if host.partition == partition]
    return next(filter(None, (_served_from_elsewhere(host, policy, partitions) for host in usable)), "")


def _served_from_elsewhere(host: RegistryHost, policy: Policy, partitions: Mapping[Identity, str]) -> str:
    """Return why the identity that serves a registry cannot assume a role of the registry's partition, "" if it can."""
    serving = policy.own_identity(host)
    if partitions[serving] in ("", host.partition):
        return ""
    who = f"identity {serving.own_name}" if serving.own_name else "own identity"
    return f"is of partition {host.partition}, and {host} is served by the controller's {who} of {partitions[serving]}"


def _partition(grant: RoleGrant) -> str:
    return grant.role.split(":")[1]


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
