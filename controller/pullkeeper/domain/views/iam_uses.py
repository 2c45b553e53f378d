"""Which roles the settings and the namespaces that ask use, and what for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pullkeeper.domain.config.pattern import matches_any
from pullkeeper.domain.config.policy import NO_NAMESPACE, Grant, Policy, RoleGrant
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import identity, role_arn
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, Session
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views.iam_controller import Controller


@dataclass(kw_only=True, slots=True)
class RoleUse:
    """What one role is for, while it is being gathered."""

    arn: RoleArn
    hosts: set[RegistryHost] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    sessions: list[Session] = field(default_factory=list)
    """How the controller opens sessions of it; none for a role that it does not assume."""
    assumers: set[Identity] = field(default_factory=set)
    """Which of the controller's identities open them."""
    subjects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Which ServiceAccounts assume it themselves, by audience."""
    certificates: list[tuple[RolesAnywhere, str]] = field(default_factory=list)
    """By which trust anchors the controller takes it, with a certificate of which common name, "" for any."""

    @property
    def session(self) -> Session | None:
        """Everything that its sessions are opened with: grants differ in what they send for the same role."""
        if not self.sessions:
            return None
        tags = next((each.tags for each in self.sessions if each.tags), ())
        source = next((each.source_identity for each in self.sessions if each.source_identity), None)
        return replace(self.sessions[0], tags=tags, source_identity=source)

    @property
    def why(self) -> str:
        """What it is for, for people."""
        asked = f"asked for by {listed(sorted(self.namespaces))}" if self.namespaces else "allowed by the settings"
        return f"{listed(self.usable) or 'no registry'}: {asked}"

    @property
    def usable(self) -> list[RegistryHost]:
        """The registries of its partition."""
        return sorted(host for host in self.hosts if host.partition == self.arn.partition)

    def assuming_roles(self, controller: Controller) -> Sequence[RoleArn]:
        """Return the controller's roles that can open its sessions: those of its partition that are known."""
        found = {each.role.text: each.role for each in map(controller.of, self.assumers) if each}
        return [found[text] for text in sorted(found) if found[text].partition == self.arn.partition]


def uses_of(policy: Policy, controller: Controller, desired_states: Mapping[str, DesiredState]) -> dict[str, RoleUse]:
    """Return every role that is used, by ARN: those of the controller's identities, whoever uses them, and others."""
    uses: dict[str, RoleUse] = {}
    _add_own(uses, controller, own_hosts(policy, CONTROLLER))
    for name, own in controller.named.items():
        _add_own(uses, own, own_hosts(policy, identity.own(name)))
    for namespace, desired in sorted(desired_states.items()):
        _add(uses, controller, namespace, desired)
    asked = set(uses)
    for grant in policy.roles:
        if "*" not in grant.role:
            _state(uses, grant, policy, controller, asked=role_arn.parse(grant.role).text in asked)
    return uses


def part_of(
    uses: Mapping[str, RoleUse], controller: Controller, desired: DesiredState, namespace: str
) -> dict[str, RoleUse]:
    """Return one namespace's part: the roles that it names, and what it needs of the controller's own ones.

    Those have no trust policy then, since they exist.
    """
    found = {arn: use for arn, use in uses.items() if namespace in use.namespaces}
    own = [(controller.of(each), host) for host, each in desired.identities.items() if each.kind is Kind.CONTROLLER]
    for role in {each.role for each in controller.every}:
        if all(each.role_arn != role.text for each in desired.identities.values()):
            hosts = {host for each, host in own if each and each.role == role}
            found[role.text] = RoleUse(arn=role, hosts=hosts)
    return found


def own_hosts(policy: Policy, own: Identity) -> set[RegistryHost]:
    """Return the registries that the settings name for one of the controller's identities."""
    named = next((each for each in policy.identities if identity.own(each.name) == own), policy.controller_identity)
    given = [*policy.registries, *(host for each in policy.identities for host in _exact(each))]
    served = [host for host in given if policy.own_identity(host) == own]
    return set(_covered(_covered(served, policy.controller_identity), named))


def _add_own(uses: dict[str, RoleUse], own: Controller, hosts: set[RegistryHost]) -> None:
    use = uses.setdefault(own.role.text, RoleUse(arn=own.role))
    use.hosts |= hosts
    if own.anywhere:
        use.certificates.append((own.anywhere, own.certificate_name))
    else:
        use.subjects[own.audience].add(own.subject)


def _add(uses: dict[str, RoleUse], controller: Controller, namespace: str, desired: DesiredState) -> None:
    for host, each in desired.identities.items():
        arn = _role_of(each, controller)
        if arn is None:
            continue
        use = uses.setdefault(arn.text, RoleUse(arn=arn))
        use.hosts.add(host)
        use.namespaces.add(namespace)
        if each.kind is Kind.SERVICE_ACCOUNT:
            use.subjects[each.audience].add(each.name)
        if each.session:
            use.assumers.add(each.assuming)
            use.sessions.append(each.session)


def _role_of(each: Identity, controller: Controller) -> RoleArn | None:
    if each.role_arn:
        return role_arn.parse(each.role_arn)
    own = controller.of(each)
    return own.role if own else None


def _state(uses: dict[str, RoleUse], grant: RoleGrant, policy: Policy, controller: Controller, *, asked: bool) -> None:
    """Add a role that the settings allow; where namespaces ask for it, its registries are theirs."""
    arn = role_arn.parse(grant.role)
    use = uses.setdefault(arn.text, RoleUse(arn=arn))
    use.sessions.append(policy.session(grant, "NAMESPACE"))
    given = [*_covered(policy.registries, grant), *_exact(grant)]
    hosts = [host for host in given if host.partition == arn.partition]
    if not asked:
        use.hosts |= set(hosts)
    if not use.assumers:
        use.assumers.add(_assumer(arn, hosts, policy, controller))


def _assumer(arn: RoleArn, hosts: Sequence[RegistryHost], policy: Policy, controller: Controller) -> Identity:
    """Return who will assume a role: who serves its registries, or else whose credentials are valid there."""
    if hosts:
        return policy.own_identity(hosts[0])
    named = (identity.own(name) for name, each in controller.named.items() if each.role.partition == arn.partition)
    return CONTROLLER if controller.role.partition == arn.partition else next(named, CONTROLLER)


def _covered(hosts: Iterable[RegistryHost], grant: Grant) -> Iterator[RegistryHost]:
    if grant.namespaces != NO_NAMESPACE:
        yield from (host for host in hosts if matches_any(grant.registries, host.name))


def _exact(grant: Grant) -> Iterator[RegistryHost]:
    for pattern in grant.registries:
        try:
            yield registry_host.parse(pattern)
        except ValueError:
            continue
