"""What the installation allows: which namespaces are opted in, which may fetch as whom, for which registries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pullkeeper.domain.config.label_selector import LabelSelector
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, Session, service_account, shortened
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames

_NOT_IN_A_SESSION = re.compile(r"[^\w+=,.@-]", re.ASCII)
# STS: a RoleSessionName and a SourceIdentity have 2 to 64 characters out of word characters and +=,.@-


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """Namespaces by name pattern (`*` stands for anything), by labels, or by both where both are given."""

    names: tuple[str, ...] = ()
    selector: LabelSelector | None = None

    def matches(self, view: ObservedNamespace) -> bool:
        """Whether a namespace is meant; a matcher without anything means none."""
        if not self.names and self.selector is None:
            return False
        named = not self.names or matches_any(self.names, view.name)
        return named and (self.selector is None or self.selector.matches(view.labels))


EVERY_NAMESPACE = Matcher(names=("*",))
NO_NAMESPACE = Matcher()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Who may fetch for which registries."""

    namespaces: Matcher = EVERY_NAMESPACE
    registries: tuple[str, ...] = ("*",)
    """Patterns of registry hosts."""


ANYBODY = Grant()
NOBODY = Grant(namespaces=NO_NAMESPACE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleGrant(Grant):
    """Which roles may be assumed for them, and how."""

    role: str
    """A role's ARN, or a pattern of ARNs."""
    external_id: str | None = None
    session_tags: bool = False
    """Send the cluster and the namespace as session tags: then each namespace is an identity of its own."""
    source_identity: bool = False
    """Send the cluster's name as SourceIdentity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Everything of the settings that may change without a restart."""

    registries: tuple[RegistryHost, ...] = ()
    """Registry hosts of a namespace that names none."""
    cluster_name: str = "kubernetes"
    roles: tuple[RoleGrant, ...] = ()
    controller_identity: Grant = ANYBODY
    service_accounts: Grant = NOBODY
    """Whose own ServiceAccounts may be used; their trust policy decides in IAM."""
    opt_in: Matcher = NO_NAMESPACE
    opt_in_exclude: Matcher = NO_NAMESPACE
    attach_to: ServiceAccountNames = NO_SERVICE_ACCOUNTS
    """ServiceAccounts of a namespace that names none."""

    def opts_in(self, view: ObservedNamespace) -> bool:
        """Whether the installation opts a namespace in that says nothing itself."""
        return self.opt_in.matches(view) and not self.opt_in_exclude.matches(view)

    def applies_to(self, view: ObservedNamespace) -> bool:
        """Whether anything is asked for a namespace, by itself or by the installation."""
        return view.is_requested or self.opts_in(view)

    def identity(
        self, view: ObservedNamespace, registries: Sequence[RegistryHost], *, role: str = "", account: str = ""
    ) -> Identity:
        """Give the identity that the namespace asks for; raises FailureError (RoleNotAllowed) where it may not."""
        if role:
            return self._role(view, registries, role)
        if account:
            _check(self.service_accounts, view, registries, f"its ServiceAccount {account}", "serviceAccountIdentity")
            return service_account(view.name, account)
        _check(self.controller_identity, view, registries, "the controller's own identity", "controllerIdentity")
        return CONTROLLER

    def reauthorize(
        self, view: ObservedNamespace, held: Identity, registries: Sequence[RegistryHost]
    ) -> Identity | None:
        """Give the identity by which a pull Secret was written, if the namespace may still use it."""
        try:
            held = identity.parse(held.name)
            account = held.service_account[1] if held.kind is Kind.SERVICE_ACCOUNT else ""
            found = self.identity(view, registries, role=held.role_arn, account=account)
        except (FailureError, ValueError):
            return None
        same_role = bool(held.role_arn) and found.role_arn == held.role_arn
        return found if same_role or found == held else None

    def granted_by(self, view: ObservedNamespace, registries: Sequence[RegistryHost], held: Identity) -> str:
        """Name the setting that allows an identity which `identity` has given."""
        if held.kind is Kind.ROLE:
            grant = self._role_grants(view, registries, held.role_arn)[0]
            return f"roles[{self.roles.index(grant)}]"
        return "serviceAccountIdentity" if held.kind is Kind.SERVICE_ACCOUNT else "controllerIdentity"

    def _role_grants(self, view: ObservedNamespace, registries: Sequence[RegistryHost], role: str) -> list[RoleGrant]:
        return [grant for grant in self._near_grants(view, role) if not _outside(grant, registries)]

    def _near_grants(self, view: ObservedNamespace, role: str) -> list[RoleGrant]:
        return [grant for grant in self.roles if matches(grant.role, role) and grant.namespaces.matches(view)]

    def _role(self, view: ObservedNamespace, registries: Sequence[RegistryHost], role: str) -> Identity:
        granted = self._role_grants(view, registries, role)
        if not granted:
            near = self._near_grants(view, role)
            raise _not_allowed(view, f"the role {role}", "roles", _outside(near[0], registries) if near else ())
        grant = granted[0]
        tags = (("pullkeeper-cluster", self.cluster_name), ("pullkeeper-namespace", view.name))
        session = Session(
            name=_session_text(f"pullkeeper-{self.cluster_name}-{view.name}"),
            external_id=grant.external_id,
            source_identity=_session_text(f"pullkeeper-{self.cluster_name}") if grant.source_identity else None,
            tags=tags if grant.session_tags else (),
        )
        # Session tags can change what a role may do, so a token fetched with them is for that namespace alone.
        return identity.role(role, session, only_for=view.name if grant.session_tags else "")


def matches_any(patterns: Sequence[str], text: str) -> bool:
    """Whether any of the patterns fits the whole text."""
    return any(matches(pattern, text) for pattern in patterns)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern, in which `*` stands for anything, fits the whole text."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _check(grant: Grant, view: ObservedNamespace, registries: Sequence[RegistryHost], what: str, key: str) -> None:
    outside = _outside(grant, registries)
    if outside or not grant.namespaces.matches(view):
        raise _not_allowed(view, what, key, outside)


def _outside(grant: Grant, registries: Sequence[RegistryHost]) -> tuple[RegistryHost, ...]:
    return tuple(host for host in registries if not matches_any(grant.registries, host.name))


def _not_allowed(view: ObservedNamespace, what: str, key: str, outside: Sequence[RegistryHost]) -> FailureError:
    where = f" for {', '.join(host.name for host in outside)}" if outside else ""
    message = (
        f"namespace/{view.name}: the installation does not let this namespace use {what}{where}: "
        f"whoever runs Pullkeeper can allow it in the settings, under `{key}`"
    )
    return FailureError(Failure(reason=Reason.ROLE_NOT_ALLOWED, message=message))


def _session_text(text: str) -> str:
    return shortened(_NOT_IN_A_SESSION.sub("-", text))
