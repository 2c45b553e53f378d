"""The rights to the Kubernetes API: just those that the settings call for, and a few that nobody should have given."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pullkeeper.domain.config.policy import NOBODY
from pullkeeper.domain.config.settings import Settings

_SECRET_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_LEASE_VERBS = ("get", "create", "patch")
_EVENT_VERBS = ("create", "patch")
_RBAC = "rbac.authorization.k8s.io"
_KEPT_OUT_OF = "kube-system"
"""Where a Secret that can be read is worth the cluster."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class RbacRule:
    """One verb on one kind of object; without a name on all of them, without a namespace in all of them."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    some_names: bool = False
    """It may be had for some names alone: for which, the settings do not say; see `service_account_rules`."""

    def __str__(self) -> str:
        kind = f"{self._kind}.{self.group}" if self.group else self._kind
        named = f" named {self.name}" if self.name and self.name != self.namespace else ""
        return f"{self.verb} {kind}{named} {f'in {self.namespace}' if self.namespace else 'everywhere'}"

    @property
    def grant(self) -> str:
        """Write the rule that grants it, and where that belongs."""
        named = f", resourceNames: [{self.name}]" if self.name else ""
        where = f"the Role in {self.namespace}" if self.namespace else "the ClusterRole"
        return (
            f'add to {where}: {{apiGroups: ["{self.group}"], resources: [{self._kind}]{named}, verbs: [{self.verb}]}}'
        )

    @property
    def _kind(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def required_rules(settings: Settings) -> tuple[RbacRule, ...]:
    """List every right that the controller uses under these settings, and no other."""
    return tuple(
        sorted({*_watching(settings), *_leading(settings), *_attaching(settings), *_asking_as_accounts(settings)})
    )


def forbidden_rules(settings: Settings) -> tuple[RbacRule, ...]:
    """List rights that the controller must not have: each opens far more than pull Secrets."""
    secrets = (RbacRule(verb=verb, resource="secrets", namespace=_KEPT_OUT_OF) for verb in _SECRET_VERBS)
    namespaces = (RbacRule(verb=verb, resource="namespaces") for verb in ("create", "update", "patch", "delete"))
    tokens = RbacRule(verb="create", resource="serviceaccounts", subresource="token")
    roles = (RbacRule(verb=verb, group=_RBAC, resource="clusterroles") for verb in ("bind", "escalate", "patch"))
    return (
        *secrets,
        *namespaces,
        *(() if _asks_as_accounts(settings) else (tokens,)),
        RbacRule(verb="create", resource="pods"),
        RbacRule(verb="create", resource="pods", subresource="exec"),
        RbacRule(verb="impersonate", resource="users"),
        *roles,
    )


def service_account_rules(namespace: str, name: str) -> tuple[RbacRule, ...]:
    """List the rights to one ServiceAccount, which a namespace fetches as."""
    return (
        RbacRule(verb="get", resource="serviceaccounts", name=name, namespace=namespace),
        RbacRule(verb="create", resource="serviceaccounts", subresource="token", name=name, namespace=namespace),
    )


def _watching(settings: Settings) -> Iterator[RbacRule]:
    for namespace in settings.watch_namespaces or ("",):
        # The API server asks for the right to a Namespace's own path in that namespace.
        for verb in ("get", "watch") if namespace else ("list", "watch"):
            yield RbacRule(verb=verb, resource="namespaces", name=namespace, namespace=namespace)
        for verb in _SECRET_VERBS:
            yield RbacRule(verb=verb, resource="secrets", name=settings.secret_name, namespace=namespace)
        for verb in _EVENT_VERBS:
            yield RbacRule(verb=verb, group="events.k8s.io", resource="events", namespace=namespace)


def _attaching(settings: Settings) -> Iterator[RbacRule]:
    for namespace in (settings.watch_namespaces or ("",)) if settings.service_account_attachment else ():
        for verb in ("list", "watch", "patch"):
            yield RbacRule(verb=verb, resource="serviceaccounts", namespace=namespace)


def _leading(settings: Settings) -> Iterator[RbacRule]:
    for verb in _LEASE_VERBS if settings.leader_election else ():
        yield RbacRule(
            verb=verb,
            group="coordination.k8s.io",
            resource="leases",
            name=settings.lease_name,
            namespace=settings.lease_namespace,
        )


def _asking_as_accounts(settings: Settings) -> Iterator[RbacRule]:
    for namespace in (settings.watch_namespaces or ("",)) if _asks_as_accounts(settings) else ():
        yield from (replace(right, some_names=True) for right in service_account_rules(namespace, ""))


def _asks_as_accounts(settings: Settings) -> bool:
    return settings.service_accounts != NOBODY
