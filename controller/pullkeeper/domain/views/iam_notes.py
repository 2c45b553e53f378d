"""What could not be told, or cannot work, of what the settings and the namespaces need in AWS."""

from collections.abc import Iterator, Mapping, Sequence

from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.policy import NO_NAMESPACE, OwnIdentity, Policy
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import identity
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views import iam_statements
from pullkeeper.domain.views.iam_controller import Controller
from pullkeeper.domain.views.iam_uses import RoleUse, own_hosts


def of_uses(controller: Controller, uses: Sequence[RoleUse]) -> Iterator[str]:
    """Return what is wrong with the roles that are used."""
    yield from controller.problems()
    for use in uses:
        if use.sessions and not use.assuming_roles(controller):
            yield f"{use.arn} is left out: {_why_not(use, controller)}"
        foreign = sorted(host for host in use.hosts if host.partition != use.arn.partition)
        if foreign:
            yield f"{use.arn} cannot read {listed(foreign)}: credentials are valid in one partition only"


def of_settings(
    policy: Policy, controller: Controller, desired_states: Mapping[str, DesiredState], others: Sequence[RoleUse]
) -> Iterator[str]:
    """Return what the settings say that is no part of the plan; `others` are the roles of tenants."""
    yield from role_partitions.misfits(policy, controller.role.partition)
    for index, grant in enumerate(policy.roles):
        if "*" in grant.role:
            yield (
                f"roles[{index}] allows {grant.role}: of the roles of a pattern, only those that namespaces ask for "
                "are here"
            )
    for each in policy.identities:
        if each.name not in controller.named and (hosts := _served(each, policy, desired_states)):
            yield _unknown(each, hosts)
    if policy.service_accounts.namespaces != NO_NAMESPACE and not any(use.subjects for use in others):
        yield "serviceAccountIdentity: the roles of ServiceAccounts are here once namespaces ask for them"


def _why_not(use: RoleUse, controller: Controller) -> str:
    known = {each.role.partition for each in map(controller.of, use.assumers) if each}
    if known:
        return f"the controller's credentials are of {listed(sorted(known))}"
    names = sorted(each.own_name for each in use.assumers)
    return f"the controller's identity {listed(names)} assumes it, and only its credentials tell who that is"


def _served(named: OwnIdentity, policy: Policy, desired_states: Mapping[str, DesiredState]) -> set[RegistryHost]:
    own = identity.own(named.name)
    asked = (desired.identities.items() for desired in desired_states.values())
    return own_hosts(policy, own) | {host for each in asked for host, found in each if found == own}


def _unknown(named: OwnIdentity, hosts: set[RegistryHost]) -> str:
    """Return what an identity needs that may be anybody."""
    statements = iam_statements.pulls(named.partition or min(hosts).partition, hosts)
    needs = [f"{listed(each.actions)} on {listed(each.resources)}" for each in statements]
    return f"only its credentials tell who the controller's identity {named.name} is: it needs {'; '.join(needs)}"
