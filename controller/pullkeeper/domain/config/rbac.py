"""RBAC rules: exactly those that the settings require, and some that the controller must not have."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pullkeeper.domain.config.policy import NOBODY
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.service_account_names import ALL

_SECRET_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_LEASE_VERBS = ("get", "create", "patch")
_EVENT_VERBS = ("create", "patch")
_RBAC = "rbac.authorization.k8s.io"
_PROTECTED_NAMESPACE = "kube-system"
"""Reading a Secret there is as good as owning the cluster."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class RbacRule:
    """One verb on one resource; an empty name means all objects, an empty namespace all namespaces."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    any_name_suffices: bool = False
    """The rule may be granted for single names instead; `service_account_rules` returns those."""

    def __str__(self) -> str:
        kind = f"{self._kind}.{self.group}" if self.group else self._kind
        named = f" named {self.name}" if self.name and self.name != self.namespace else ""
        return f"{self.verb} {kind}{named} {f'in {self.namespace}' if self.namespace else 'everywhere'}"

    @property
    def grant(self) -> str:
        """How to grant it: the role to extend and the rule to add."""
        named = f", resourceNames: [{self.name}]" if self.name else ""
        where = f"the Role in {self.namespace}" if self.namespace else "the ClusterRole"
        return (
            f'add to {where}: {{apiGroups: ["{self.group}"], resources: [{self._kind}]{named}, verbs: [{self.verb}]}}'
        )

    @property
    def _kind(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def required_rules(settings: Settings) -> tuple[RbacRule, ...]:
    """Return exactly the rules that the controller uses with these settings."""
    return tuple(
        sorted(
            {
                *_watches(settings),
                *_leader_election(settings),
                *_attachment(settings),
                *_service_account_identity(settings),
                *_watched_service_accounts(settings),
            }
        )
    )


def forbidden_rules(settings: Settings) -> tuple[RbacRule, ...]:
    """Return rules that the controller must not have: each allows far more than managing pull Secrets."""
    secrets = (RbacRule(verb=verb, resource="secrets", namespace=_PROTECTED_NAMESPACE) for verb in _SECRET_VERBS)
    namespaces = (RbacRule(verb=verb, resource="namespaces") for verb in ("create", "update", "patch", "delete"))
    tokens = RbacRule(verb="create", resource="serviceaccounts", subresource="token")
    roles = (RbacRule(verb=verb, group=_RBAC, resource="clusterroles") for verb in ("bind", "escalate", "patch"))
    return (
        *secrets,
        *namespaces,
        *(() if _uses_service_accounts(settings) else (tokens,)),
        RbacRule(verb="create", resource="pods"),
        RbacRule(verb="create", resource="pods", subresource="exec"),
        RbacRule(verb="impersonate", resource="users"),
        *roles,
    )


def service_account_rules(namespace: str, name: str) -> tuple[RbacRule, ...]:
    """Return the rules for fetching tokens as one ServiceAccount."""
    return (
        RbacRule(verb="get", resource="serviceaccounts", name=name, namespace=namespace),
        RbacRule(verb="create", resource="serviceaccounts", subresource="token", name=name, namespace=namespace),
    )


def _watches(settings: Settings) -> Iterator[RbacRule]:
    for namespace in settings.watch_namespaces or ("",):
        # The API server authorizes requests for a Namespace object in that namespace.
        for verb in ("get", "watch") if namespace else ("list", "watch"):
            yield RbacRule(verb=verb, resource="namespaces", name=namespace, namespace=namespace)
        for name in (settings.secret_name, *(each.name for each in settings.additional_secrets)):
            for verb in _SECRET_VERBS:
                yield RbacRule(verb=verb, resource="secrets", name=name, namespace=namespace)
        for verb in _EVENT_VERBS:
            yield RbacRule(verb=verb, group="events.k8s.io", resource="events", namespace=namespace)


def _attachment(settings: Settings) -> Iterator[RbacRule]:
    for namespace in (settings.watch_namespaces or ("",)) if settings.service_account_attachment else ():
        for verb in ("list", "watch", "patch"):
            yield RbacRule(verb=verb, resource="serviceaccounts", namespace=namespace)


def _leader_election(settings: Settings) -> Iterator[RbacRule]:
    for verb in _LEASE_VERBS if settings.leader_election else ():
        yield RbacRule(
            verb=verb,
            group="coordination.k8s.io",
            resource="leases",
            name=settings.lease_name,
            namespace=settings.lease_namespace,
        )


def _service_account_identity(settings: Settings) -> Iterator[RbacRule]:
    for namespace in (settings.watch_namespaces or ("",)) if _uses_service_accounts(settings) else ():
        yield from (replace(rule, any_name_suffices=True) for rule in service_account_rules(namespace, ""))


def _watched_service_accounts(settings: Settings) -> Iterator[RbacRule]:
    for namespace in settings.watch_namespaces or ("",):
        for name in settings.watched_names:
            for verb in ("list", "watch"):
                named = "" if name == ALL else name
                yield RbacRule(verb=verb, resource="serviceaccounts", name=named, namespace=namespace)


def _uses_service_accounts(settings: Settings) -> bool:
    return settings.policy.service_accounts != NOBODY
