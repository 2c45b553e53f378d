"""RBAC, evaluated over the stored roles and bindings."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from testsupport.fake_kube import status
from testsupport.fake_kube.objects import Object, metadata
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.tokens import User
from testsupport.fake_kube.versions import Change

KINDS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is to be authorized: a verb on a resource, or on a path."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """Give the resource as rules name it: with its subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def access_of(record: RequestRecord) -> Access:
    """Read what a request needs."""
    if not record.is_resource:
        return Access(verb=record.verb, path=record.path)
    return Access(
        verb=record.verb,
        group=record.group,
        resource=record.resource,
        subresource=record.subresource,
        namespace=record.namespace,
        name=record.name,
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule as a user has it: everywhere, or in one namespace, and through which binding."""

    rule: Object
    namespace: str
    through: str

    def allows(self, access: Access) -> bool:
        """Tell whether the rule covers the access."""
        if not _covers(self.rule.get("verbs"), access.verb):
            return False
        if access.path:
            return not self.namespace and _covers_path(self.rule.get("nonResourceURLs"), access.path)
        if self.namespace and self.namespace != access.namespace:
            return False
        names = self.rule.get("resourceNames")
        return (
            _covers(self.rule.get("apiGroups"), access.group)
            and _covers_resource(self.rule.get("resources"), access)
            and (not names or access.name in names)
        )


def _covers(values: list[str] | None, wanted: str) -> bool:
    return values is not None and ("*" in values or wanted in values)


def _covers_resource(values: list[str] | None, access: Access) -> bool:
    any_owner = f"*/{access.subresource}" if access.subresource else access.full_resource
    return _covers(values, access.full_resource) or _covers(values, any_owner)


def _covers_path(values: list[str] | None, path: str) -> bool:
    return any(value == path or (value.endswith("*") and path.startswith(value[:-1])) for value in values or ())


@dataclass(slots=True)
class Rbac:
    """Decides; keeps each user's grants until a role or binding changes."""

    store: Store
    enabled: bool = True
    _grants: dict[User, list[Grant]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store.listeners.append(self._changed)

    def _changed(self, resource: str, _change: Change) -> None:
        if resource in KINDS:
            self._grants.clear()

    def reason(self, user: User, access: Access) -> str | None:
        """Say why the user may, or give None."""
        if not self.enabled or "system:masters" in user.groups:
            return ""
        return next((grant.through for grant in self._of(user) if grant.allows(access)), None)

    def require(self, user: User, access: Access) -> None:
        """Raise 403, in the server's words, unless the user may."""
        if self.reason(user, access) is None:
            raise forbidden(user, access)

    def rules(self, user: User, namespace: str) -> list[Object]:
        """List the rules that a user has, cluster-wide and in a namespace."""
        if "system:masters" in user.groups:
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
        return [grant.rule for grant in self._of(user) if grant.namespace in ("", namespace)]

    def _of(self, user: User) -> list[Grant]:
        if user not in self._grants:
            self._grants[user] = list(self._find(user))
        return self._grants[user]

    def _find(self, user: User) -> Iterator[Grant]:
        for kind in ("clusterrolebindings", "rolebindings"):
            for binding in self.store.objects(kind):
                subject = next((s for s in binding.get("subjects", ()) if _is(user, s, binding)), None)
                if subject:
                    yield from self._rules(binding, subject)

    def _rules(self, binding: Object, subject: Object) -> Iterator[Grant]:
        namespace = metadata(binding).get("namespace", "")
        ref = binding["roleRef"]
        kind, home = ("clusterroles", "") if ref["kind"] == "ClusterRole" else ("roles", namespace)
        role = self.store.get(kind, home, ref["name"]) or {}
        through = (
            f'RBAC: allowed by {binding["kind"]} "{_shown(binding)}" of {ref["kind"]} "{ref["name"]}" '
            f'to {subject["kind"]} "{_subject(subject)}"'
        )
        for rule in role.get("rules") or ():
            yield Grant(rule, namespace, through)


def _shown(binding: Object) -> str:
    meta = metadata(binding)
    return f"{meta['name']}/{meta['namespace']}" if meta.get("namespace") else str(meta["name"])


def _subject(subject: Object) -> str:
    name = str(subject["name"])
    return f"{name}/{subject['namespace']}" if subject["kind"] == "ServiceAccount" else name


def _is(user: User, subject: Object, binding: Object) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or metadata(binding).get("namespace", "")
            return user.name == f"system:serviceaccount:{namespace}:{subject['name']}"
    return False


def forbidden(user: User, access: Access) -> status.ApiError:
    """Word the refusal."""
    if access.path:
        message = f'forbidden: User "{user.name}" cannot {access.verb} path "{access.path}"'
        return status.ApiError(403, "Forbidden", message, details={})
    where = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {access.verb} resource "{access.full_resource}" '
        f'in API group "{access.group}" {where}'
    )
    return status.forbidden(access.group, access.resource, access.name, why)
