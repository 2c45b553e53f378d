"""The policy: which namespaces are opted in, and which identities they may use for which registries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pullkeeper.domain.config import own_sources
from pullkeeper.domain.config.label_selector import LabelSelector
from pullkeeper.domain.config.own_sources import OwnSource
from pullkeeper.domain.config.pattern import matches, matches_any
from pullkeeper.domain.ecr.partitions import PARTITIONS
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.errors.validation import quoted
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, Session, service_account, shortened
from pullkeeper.domain.namespace.installation_class import DEFAULT_CLASS, class_of
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """Selects namespaces by name pattern (`*` matches anything), by labels, or by both if both are given."""

    names: tuple[str, ...] | None = None
    """None leaves it to the selector; without any pattern, no namespace is selected."""
    selector: LabelSelector | None = None

    def matches(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace is selected; an empty matcher selects none."""
        if self.names is None and self.selector is None:
            return False
        named = self.names is None or matches_any(self.names, namespace.name)
        return named and (self.selector is None or self._selects(self.selector, namespace))

    @staticmethod
    def _selects(selector: LabelSelector, namespace: ObservedNamespace) -> bool:
        return not namespace.excess_labels and selector.matches(namespace.labels)


EVERY_NAMESPACE = Matcher(names=("*",))
NO_NAMESPACE = Matcher(names=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Which namespaces may use an identity, for which registries."""

    namespaces: Matcher = EVERY_NAMESPACE
    registries: tuple[str, ...] = ("*",)
    """Patterns of registry hosts."""


ANYBODY = Grant()
NOBODY = Grant(namespaces=NO_NAMESPACE)
DEFAULT_AUDIENCES = ("sts.amazonaws.com",)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleGrant(Grant):
    """Which role these namespaces may use, and how its session is opened."""

    role: str
    """A role's ARN, or a pattern of ARNs."""
    external_id: str | None = None
    session_tags: bool = False
    """Whether to send cluster and namespace as session tags; each namespace then gets tokens of its own."""
    source_identity: bool = False
    """Whether to send the cluster's name as SourceIdentity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnIdentity(Grant):
    """One of the controller's identities, which serves these registries to these namespaces."""

    name: str
    source: OwnSource
    region: str = ""
    """Region of its STS endpoint; "" for what follows from the source and the registries."""

    @property
    def partition(self) -> str:
        """The only AWS partition that its credentials are valid in; "" if that is not known."""
        role = own_sources.role_of(self.source)
        if role is not None:
            return role.partition
        return next((each.name for each in PARTITIONS if each.has(self.region)), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The part of the settings that is reloaded without a restart."""

    installation_class: str = DEFAULT_CLASS
    """The class of the namespaces that the installation acts for; it leaves all others alone."""
    registries: tuple[RegistryHost, ...] = ()
    """Default registry hosts, for namespaces that name none."""
    cluster_name: str = "kubernetes"
    """Names the cluster in role sessions, and so in CloudTrail."""
    roles: tuple[RoleGrant, ...] = ()
    """Roles that namespaces may use; none by default."""
    controller_identity: Grant = ANYBODY
    """Which namespaces may use the controller's own identities; all by default."""
    identities: tuple[OwnIdentity, ...] = ()
    """The controller's identities beside the one without a name: the first that has a registry serves it.

    As their sources, they change with a restart alone.
    """
    service_accounts: Grant = NOBODY
    """Which namespaces may use their own ServiceAccounts, as IAM's trust policies allow; none by default."""
    audiences: tuple[str, ...] = DEFAULT_AUDIENCES
    """What the tokens of those ServiceAccounts may be requested for; never the API server."""
    opt_in: Matcher = NO_NAMESPACE
    """Namespaces that are opted in without an annotation."""
    opt_in_exclude: Matcher = NO_NAMESPACE
    """Exceptions from `opt_in`."""
    excluded_namespaces: tuple[str, ...] = ("kube-system",)
    """Patterns of namespaces that get no pull Secret, whatever their annotations and `opt_in` say."""
    admission_fence: bool = False
    """Whether the chart has put up its admission fence; the controller itself only looks whether it holds."""
    opt_in_stated: bool = field(default=False, compare=False)
    """Whether the settings say whom they opt in, if only that it is nobody."""
    attach_to: ServiceAccountNames = NO_SERVICE_ACCOUNTS
    """Default ServiceAccounts to attach the pull Secret to, for namespaces that name none."""

    pod_injection: bool = False
    """Whether the chart's admission policy adds the pull Secret to pods: see `pullkeeper.domain.config.injection`."""

    def serves(self, namespace: ObservedNamespace, held: str | None) -> bool:
        """Return whether the installation acts for a namespace: it is of its class.

        `held` is the class of the installation that keeps a pull Secret there, None without one. It decides only where
        the annotation is invalid: whoever keeps the Secret goes on with it, else whoever could be meant reports it.
        """
        named = class_of(namespace.annotations)
        return (held if named is None else named) in {None, self.installation_class}

    def opts_in(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace without the `enabled` annotation is opted in."""
        selected = self.opt_in.matches(namespace) and not self.opt_in_exclude.matches(namespace)
        return selected and not self.excludes(namespace)

    def excludes(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace gets no pull Secret, whatever its annotations say."""
        return matches_any(self.excluded_namespaces, namespace.name)

    def applies_to(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace that may have a pull Secret has annotations of ours, or is opted in."""
        if not self.serves(namespace, held=None):
            return False
        return self.opts_in(namespace) or (namespace.is_requested and not self.excludes(namespace))

    def own_identity(self, host: RegistryHost) -> Identity:
        """Return the controller's identity that serves a registry."""
        found = self._serving(host)
        return identity.own(found.name) if found else CONTROLLER

    def by_own_identity(self, registries: Sequence[RegistryHost]) -> Mapping[Identity, Sequence[RegistryHost]]:
        """Return the registries that each of the controller's identities serves."""
        found: dict[Identity, list[RegistryHost]] = {}
        for host in registries:
            found.setdefault(self.own_identity(host), []).append(host)
        return found

    def _serving(self, host: RegistryHost) -> OwnIdentity | None:
        return next((each for each in self.identities if matches_any(each.registries, host.name)), None)

    def identity(
        self, namespace: ObservedNamespace, registries: Sequence[RegistryHost], *, role: str = "", account: str = ""
    ) -> Identity:
        """Return the identity that the namespace requests; raises FailureError (RoleNotAllowed) if not allowed.

        Without a role or an account it is the controller's that serves the first of the registries, which it has to
        serve all: see `by_own_identity`. That one assumes the role, too.
        """
        if role:
            return self._role(namespace, registries, role)
        if account:
            _check(
                self.service_accounts, namespace, registries, f"its ServiceAccount {account}", "serviceAccountIdentity"
            )
            return service_account(namespace.name, account)
        return self._own(namespace, registries)

    def _own(self, namespace: ObservedNamespace, registries: Sequence[RegistryHost]) -> Identity:
        _check(self.controller_identity, namespace, registries, "the controller's own identity", "controllerIdentity")
        found = next(map(self._serving, registries), None)
        if found is None:
            return CONTROLLER
        setting = f"identities[{self.identities.index(found)}]"
        _check(found, namespace, registries, f"the controller's identity {found.name}", setting)
        return identity.own(found.name)

    def check_audience(self, resolved: Identity) -> None:
        """Raise FailureError (RoleNotAllowed) unless tokens may be requested for the audience of a ServiceAccount."""
        if resolved.audience in self.audiences:
            return
        message = (
            f"{resolved} asks for tokens for {quoted(resolved.audience)} in its annotation eks.amazonaws.com/audience, "
            f"and the installation allows {listed(self.audiences)}: change the annotation, or let whoever runs "
            "Pullkeeper allow it in the settings, under `serviceAccountIdentity.audiences`"
        )
        raise FailureError(Failure(reason=Reason.ROLE_NOT_ALLOWED, message=message))

    def reauthorize(
        self, namespace: ObservedNamespace, earlier: Identity, registries: Sequence[RegistryHost]
    ) -> Identity | None:
        """Return what an identity that was allowed earlier has become, None if the namespace may not use it now."""
        account = earlier.service_account[1] if earlier.kind is Kind.SERVICE_ACCOUNT else ""
        try:
            return self.identity(namespace, registries, role=earlier.role_arn, account=account)
        except FailureError:
            return None

    def granted_by(self, namespace: ObservedNamespace, registries: Sequence[RegistryHost], allowed: Identity) -> str:
        """Return the setting that allows an identity returned by `identity`."""
        if allowed.kind is Kind.ROLE:
            grant = self._role_grants(namespace, registries, allowed.role_arn)[0]
            return f"roles[{self.roles.index(grant)}]"
        if allowed.kind is Kind.SERVICE_ACCOUNT:
            return "serviceAccountIdentity"
        named = (index for index, each in enumerate(self.identities) if identity.own(each.name) == allowed)
        return next((f"identities[{index}]" for index in named), "controllerIdentity")

    def _role_grants(
        self, namespace: ObservedNamespace, registries: Sequence[RegistryHost], role: str
    ) -> list[RoleGrant]:
        return [
            grant for grant in self._grants_but_for_registries(namespace, role) if not _uncovered(grant, registries)
        ]

    def _grants_but_for_registries(self, namespace: ObservedNamespace, role: str) -> list[RoleGrant]:
        return [grant for grant in self.roles if matches(grant.role, role) and grant.namespaces.matches(namespace)]

    def _role(self, namespace: ObservedNamespace, registries: Sequence[RegistryHost], role: str) -> Identity:
        grants = self._role_grants(namespace, registries, role)
        if not grants:
            others = self._grants_but_for_registries(namespace, role)
            uncovered = _uncovered(others[0], registries) if others else ()
            raise _not_allowed(namespace, f"the role {role}", "roles", uncovered)
        grant = grants[0]
        # Session tags can change what a role may do, so such a token is never shared between namespaces.
        only_for = namespace.name if grant.session_tags else ""
        session, by = self.session(grant, namespace.name), next(map(self.own_identity, registries), CONTROLLER)
        return identity.role(role, session, only_for=only_for, assumed_by=by)

    def session(self, grant: RoleGrant, namespace: str) -> Session:
        """Return how a session of a role that a grant allows is opened for a namespace."""
        tags = (("pullkeeper-cluster", self.cluster_name), ("pullkeeper-namespace", namespace))
        shared = f"pullkeeper-{self.cluster_name}"
        return Session(
            # STS: at most 64 word characters and +=,.@- of which the names of clusters and namespaces are.
            # Namespaces that share a role's tokens share its session, so it has the name of none of them.
            name=shortened(f"{shared}-{namespace}") if grant.session_tags else shared,
            external_id=grant.external_id,
            source_identity=shared if grant.source_identity else None,
            tags=tags if grant.session_tags else (),
        )


def _check(
    grant: Grant, namespace: ObservedNamespace, registries: Sequence[RegistryHost], what: str, setting: str
) -> None:
    uncovered = _uncovered(grant, registries)
    if uncovered or not grant.namespaces.matches(namespace):
        raise _not_allowed(namespace, what, setting, uncovered)


def _uncovered(grant: Grant, registries: Sequence[RegistryHost]) -> tuple[RegistryHost, ...]:
    return tuple(host for host in registries if not matches_any(grant.registries, host.name))


def _not_allowed(
    namespace: ObservedNamespace, what: str, setting: str, uncovered: Sequence[RegistryHost]
) -> FailureError:
    where = f" for {listed(uncovered)}" if uncovered else ""
    message = (
        f"namespace/{namespace.name}: the installation does not let this namespace use {what}{where}: "
        f"whoever runs Pullkeeper can allow it in the settings, under `{setting}`"
    )
    return FailureError(Failure(reason=Reason.ROLE_NOT_ALLOWED, message=message))
