"""Which resources there are, under which group and version, and what each allows."""

from collections.abc import Callable
from dataclasses import dataclass

from testsupport.fake_kube import events_api, kinds
from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.schema import Struct

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
RBAC_GROUP = "rbac.authorization.k8s.io"


def _unchanged(obj: Object) -> Object:
    return obj


def _with_rules(obj: Object) -> Object:
    """Show a role's rules even where there are none."""
    return {"rules": None, **obj}


def _with_spec(obj: Object) -> Object:
    """Show a spec even where it is empty."""
    return {"spec": {}, **obj}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One resource of one version. Two may share a storage: both groups show the same events."""

    group: str = ""
    version: str = "v1"
    plural: str
    kind: str
    schema: Struct
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    storage_kind: str = ""
    create_on_update: bool = False
    unconditional_update: bool = True
    to_storage: Callable[[Object], Object] = _unchanged
    from_storage: Callable[[Object], Object] = _unchanged

    @property
    def api_version(self) -> str:
        """Give the apiVersion of objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> str:
        """Name the collection in the store."""
        return self.plural


RESOURCES: tuple[Resource, ...] = (
    Resource(
        plural="namespaces",
        kind="Namespace",
        schema=kinds.NAMESPACE,
        namespaced=False,
        short_names=("ns",),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        subresources=("status", "finalize"),
    ),
    Resource(plural="secrets", kind="Secret", schema=kinds.SECRET),
    Resource(plural="configmaps", kind="ConfigMap", schema=kinds.CONFIG_MAP, short_names=("cm",)),
    Resource(
        plural="serviceaccounts",
        kind="ServiceAccount",
        schema=kinds.SERVICE_ACCOUNT,
        short_names=("sa",),
        subresources=("token",),
    ),
    Resource(
        plural="pods",
        kind="Pod",
        schema=kinds.OPAQUE,
        short_names=("po",),
        categories=("all",),
        subresources=("status",),
    ),
    Resource(
        plural="events",
        kind="Event",
        schema=kinds.CORE_EVENT,
        short_names=("ev",),
        create_on_update=True,
        from_storage=events_api.complete_core,
    ),
    Resource(
        group="events.k8s.io",
        plural="events",
        kind="Event",
        schema=kinds.EVENT,
        short_names=("ev",),
        create_on_update=True,
        to_storage=events_api.to_core,
        from_storage=events_api.from_core,
    ),
    Resource(
        group="coordination.k8s.io",
        plural="leases",
        kind="Lease",
        schema=kinds.LEASE,
        from_storage=_with_spec,
        create_on_update=True,
        unconditional_update=False,
    ),
    Resource(
        group="apps",
        plural="deployments",
        kind="Deployment",
        schema=kinds.OPAQUE,
        short_names=("deploy",),
        categories=("all",),
        subresources=("status",),
    ),
    Resource(
        group=RBAC_GROUP,
        plural="roles",
        kind="Role",
        schema=kinds.ROLE,
        create_on_update=True,
        from_storage=_with_rules,
    ),
    Resource(
        group=RBAC_GROUP,
        plural="rolebindings",
        kind="RoleBinding",
        schema=kinds.BINDING,
        create_on_update=True,
    ),
    Resource(
        group=RBAC_GROUP,
        plural="clusterroles",
        kind="ClusterRole",
        schema=kinds.CLUSTER_ROLE,
        from_storage=_with_rules,
        namespaced=False,
        create_on_update=True,
    ),
    Resource(
        group=RBAC_GROUP,
        plural="clusterrolebindings",
        kind="ClusterRoleBinding",
        schema=kinds.BINDING,
        namespaced=False,
        create_on_update=True,
    ),
)
REVIEWS: dict[tuple[str, str], str] = {
    ("authorization.k8s.io", "subjectaccessreviews"): "SubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
    ("authentication.k8s.io", "tokenreviews"): "TokenReview",
}
"""Resources that are asked and answered and never stored."""

BY_NAME = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
BY_STORAGE = {resource.storage: resource for resource in reversed(RESOURCES)}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}
GROUPS = sorted({resource.group for resource in RESOURCES if resource.group} | {group for group, _ in REVIEWS})


def resource_of(obj: Object) -> Resource:
    """Find the resource of an object by its apiVersion and kind."""
    return BY_KIND[obj["apiVersion"], obj["kind"]]
