"""What the settings and the namespaces that ask need in AWS, as a plan."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.pattern import matches_any
from pullkeeper.domain.config.policy import NO_NAMESPACE, Grant, Policy, RoleGrant
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import Kind, Session
from pullkeeper.domain.iam.oidc_issuer import has_port, is_internal
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.iam.web_identity import provider_arn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.views import iam_statements
from pullkeeper.domain.views.iam_plan import Account, Plan, Provider, RepositoryGrant, Role

_POLICY_NAME = "pullkeeper"


@dataclass(frozen=True, kw_only=True, slots=True)
class Controller:
    """The controller's own identity: a role, and what it takes it with."""

    role: RoleArn
    issuer: str
    """URL of the cluster's issuer; "" if it is not known and no ServiceAccount takes a role."""
    subject: str
    """`system:serviceaccount:NAMESPACE:NAME`, which takes the role with a token of the issuer."""
    audience: str
    anywhere: RolesAnywhere | None = None
    """IAM Roles Anywhere, in the ServiceAccount's place."""
    certificate_name: str = ""
    """Common name of the certificate that it has there; "" for any."""

    def problems(self) -> Iterator[str]:
        """Return what may keep AWS from believing its tokens, or let it believe others."""
        if self.anywhere and not self.certificate_name:
            yield (
                f"{self.role} can be taken with any certificate below the trust anchor {self.anywhere.trust_anchor}: "
                "say with --certificate-name which one it is"
            )
        if self.anywhere and not self.issuer:
            return
        if is_internal(self.issuer):
            yield f"the name of the issuer {self.issuer} looks internal: AWS has to fetch its key set"
        if has_port(self.issuer):
            yield f"the issuer {self.issuer} has a port, which IAM does not want in the URL of a provider"


@dataclass(kw_only=True, slots=True)
class _RoleUse:
    """What one role is for, while it is being gathered."""

    arn: RoleArn
    hosts: set[RegistryHost] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    sessions: list[Session] = field(default_factory=list)
    """How the controller opens sessions of it; none for a role that it does not assume."""
    subjects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Which ServiceAccounts assume it themselves, by audience."""
    certified: bool = False
    """Whether it is taken with a certificate."""

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
        asked = f"asked for by {listed(sorted(self.namespaces))}" if self.namespaces else "allowed by the settings"
        return f"{listed(self.usable) or 'no registry'}: {asked}"

    @property
    def usable(self) -> list[RegistryHost]:
        """The registries of its partition."""
        return sorted(host for host in self.hosts if host.partition == self.arn.partition)


def plan(policy: Policy, controller: Controller, desired_states: Mapping[str, DesiredState], *, only: str = "") -> Plan:
    """Return what must exist, for what namespaces, by name, desire; `only` keeps one namespace's part.

    The identity of a ServiceAccount has its role and audience. What the settings allow counts too: registries for
    everybody by default, and roles without a pattern. One namespace's part of the controller's own role is a policy
    beside the others, since the role exists; roles that it shares with others are whole.
    """
    uses = _uses(policy, controller, desired_states)
    if only:
        uses = {arn: use for arn, use in uses.items() if only in use.namespaces}
        if all(each.role_arn != controller.role.text for each in desired_states[only].identities.values()):
            uses[controller.role.text] = _part(controller, desired_states[only])
    own = uses.pop(controller.role.text)
    others = [uses[arn] for arn in sorted(uses)]
    kept = [use for use in others if not use.sessions or use.arn.partition == controller.role.partition]
    roles = [*_own_role(own, kept, controller, only), *(_role(use, controller) for use in kept)]
    notes = [*_notes(policy, controller, [own, *others], only), *(each for role in roles for each in role.problems())]
    return Plan(accounts=tuple(_accounts([own, *kept], roles, controller)), notes=tuple(notes))


def _uses(policy: Policy, controller: Controller, desired_states: Mapping[str, DesiredState]) -> dict[str, _RoleUse]:
    own = _RoleUse(arn=controller.role, hosts=set(_covered(policy.registries, policy.controller_identity)))
    own.certified = controller.anywhere is not None
    if not own.certified:
        own.subjects[controller.audience].add(controller.subject)
    uses = {controller.role.text: own}
    for namespace, desired in sorted(desired_states.items()):
        _add(uses, controller, namespace, desired)
    asked = set(uses)
    for grant in policy.roles:
        if "*" not in grant.role:
            _state(uses, grant, policy, asked)
    return uses


def _add(uses: dict[str, _RoleUse], controller: Controller, namespace: str, desired: DesiredState) -> None:
    for host, identity in desired.identities.items():
        arn = role_arn.parse(identity.role_arn) if identity.role_arn else controller.role
        use = uses.setdefault(arn.text, _RoleUse(arn=arn))
        use.hosts.add(host)
        use.namespaces.add(namespace)
        if identity.kind is Kind.SERVICE_ACCOUNT:
            use.subjects[identity.audience].add(identity.name)
        use.sessions += [identity.session] if identity.session and identity.session not in use.sessions else []


def _state(uses: dict[str, _RoleUse], grant: RoleGrant, policy: Policy, asked: Container[str]) -> None:
    """Add a role that the settings allow; where namespaces ask for it, its registries are theirs."""
    arn = role_arn.parse(grant.role)
    use = uses.setdefault(arn.text, _RoleUse(arn=arn))
    use.sessions.append(policy.session(grant, "NAMESPACE"))
    if arn.text not in asked:
        hosts = {*_covered(policy.registries, grant), *_exact(grant)}
        use.hosts |= {host for host in hosts if host.partition == arn.partition}


def _part(controller: Controller, desired: DesiredState) -> _RoleUse:
    """Return one namespace's part of the controller's own role, without its trust policy."""
    hosts = {host for host, identity in desired.identities.items() if not identity.role_arn}
    return _RoleUse(arn=controller.role, hosts=hosts)


def _covered(hosts: Iterable[RegistryHost], grant: Grant) -> Iterator[RegistryHost]:
    if grant.namespaces != NO_NAMESPACE:
        yield from (host for host in hosts if matches_any(grant.registries, host.name))


def _exact(grant: Grant) -> Iterator[RegistryHost]:
    for pattern in grant.registries:
        try:
            yield registry_host.parse(pattern)
        except ValueError:
            continue


def _own_role(own: _RoleUse, others: Sequence[_RoleUse], controller: Controller, only: str) -> Iterator[Role]:
    assumed = [(use.arn, use.session) for use in [own, *others] if use.session]
    role = _role(own, controller)
    permissions = (*role.permissions, *iam_statements.assumptions(assumed))
    if permissions or not role.exists:
        why = f"The controller's own, for {own.why}" if own.usable else "The controller's own, to assume other roles"
        name = f"{_POLICY_NAME}-{only}" if role.exists else _POLICY_NAME
        yield replace(role, why=why, policy_name=name, permissions=permissions)


def _role(use: _RoleUse, controller: Controller) -> Role:
    trust = [*iam_statements.controller_trust(controller.role, use.session)] if use.session else []
    if use.certified and controller.anywhere:
        trust.append(iam_statements.certificate_trust(controller.anywhere.trust_anchor, controller.certificate_name))
    provider = provider_arn(controller.issuer, use.arn)
    for index, (audience, subjects) in enumerate(sorted(use.subjects.items()), start=1):
        sid = f"ServiceAccounts{index if len(use.subjects) > 1 else ''}"
        trust.append(iam_statements.web_trust(provider, audience, subjects, sid=sid))
    return Role(
        arn=use.arn,
        why=f"For {use.why}",
        policy_name=_POLICY_NAME,
        permissions=tuple(iam_statements.pulls(use.arn, use.hosts)),
        trust=tuple(trust),
    )


def _providers(controller: Controller, uses: Iterable[_RoleUse]) -> Iterator[Provider]:
    audiences: dict[str, set[str]] = defaultdict(set)
    for use in uses:
        if use.subjects:
            audiences[provider_arn(controller.issuer, use.arn)] |= use.subjects.keys()
    for arn, found in sorted(audiences.items()):
        yield Provider(arn=arn, issuer=controller.issuer, audiences=tuple(sorted(found)))


def _grants(uses: Iterable[_RoleUse]) -> Iterator[RepositoryGrant]:
    readers: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for use in uses:
        for host in use.usable:
            if host.account not in ("", use.arn.account):
                readers[host.partition, host.account, host.region].add(use.arn.text)
    for (partition, account, region), roles in sorted(readers.items()):
        statement = iam_statements.repository_trust(sorted(roles))
        yield RepositoryGrant(region=region, account=account, partition=partition, statement=statement)


def _accounts(uses: Sequence[_RoleUse], roles: Sequence[Role], controller: Controller) -> Iterator[Account]:
    providers, grants = list(_providers(controller, uses)), list(_grants(uses))
    own = (controller.role.partition, controller.role.account)
    keys = {(role.arn.partition, role.arn.account) for role in roles}
    keys |= {(grant.partition, grant.account) for grant in grants}
    # The controller's account comes first: IAM accepts no trust policy with a role that does not exist.
    for key in sorted(keys, key=lambda key: (key != own, key)):
        yield Account(
            partition=key[0],
            number=key[1],
            region=_region(key, uses),
            providers=tuple(each for each in providers if _key(each.arn) == key),
            roles=tuple(role for role in roles if (role.arn.partition, role.arn.account) == key),
            grants=tuple(grant for grant in grants if (grant.partition, grant.account) == key),
            anywhere=controller.anywhere if key == own and uses[0].certified else None,
        )


def _key(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    return parts[1], parts[4]


def _region(key: tuple[str, str], uses: Sequence[_RoleUse]) -> str:
    own = [host.region for use in uses for host in use.usable if (host.partition, host.account) == key]
    read = [host.region for use in uses for host in use.usable if (use.arn.partition, use.arn.account) == key]
    return min(own or read, default="")


def _notes(policy: Policy, controller: Controller, uses: Sequence[_RoleUse], only: str) -> Iterator[str]:
    yield from controller.problems()
    for use in uses:
        if use.sessions and use.arn.partition != controller.role.partition:
            yield f"{use.arn} is left out: the controller's credentials are of {controller.role.partition}"
        foreign = sorted(host for host in use.hosts if host.partition != use.arn.partition)
        if foreign:
            yield f"{use.arn} cannot read {listed(foreign)}: credentials are valid in one partition only"
    if only:
        return
    yield from role_partitions.misfits(policy, controller.role.partition)
    for index, grant in enumerate(policy.roles):
        if "*" in grant.role:
            yield (
                f"roles[{index}] allows {grant.role}: of the roles of a pattern, only those that namespaces ask for "
                "are here"
            )
    if policy.service_accounts.namespaces != NO_NAMESPACE and not any(use.subjects for use in uses[1:]):
        yield "serviceAccountIdentity: the roles of ServiceAccounts are here once namespaces ask for them"
