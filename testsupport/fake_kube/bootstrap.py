"""What a new cluster holds: its namespaces, and the roles that everybody relies on."""

from collections.abc import Iterator

from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.preparing import prepared_for_create
from testsupport.fake_kube.resources import BY_KIND, RBAC_GROUP
from testsupport.fake_kube.store import Store

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PUBLIC_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
DISCOVERY_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *PUBLIC_PATHS]
ISSUER_PATHS = [
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
]
REVIEW_RULES: list[Object] = [
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
]
EVERYTHING: list[Object] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
ROLES: dict[str, tuple[list[Object], tuple[str, ...]]] = {
    "cluster-admin": (EVERYTHING, ("system:masters",)),
    "system:basic-user": (REVIEW_RULES, (AUTHENTICATED,)),
    "system:discovery": ([{"verbs": ["get"], "nonResourceURLs": DISCOVERY_PATHS}], (AUTHENTICATED,)),
    "system:public-info-viewer": (
        [{"verbs": ["get"], "nonResourceURLs": PUBLIC_PATHS}],
        (AUTHENTICATED, UNAUTHENTICATED),
    ),
    "system:service-account-issuer-discovery": (
        [{"verbs": ["get"], "nonResourceURLs": ISSUER_PATHS}],
        ("system:serviceaccounts",),
    ),
}
"""Default roles, and the groups that they are bound to."""


def fill(store: Store) -> None:
    """Store what a new cluster holds."""
    namespace = BY_KIND["v1", "Namespace"]
    for name in NAMESPACES:
        store.insert("namespaces", prepared_for_create(namespace, {"metadata": {"name": name}}))
    for resource, obj in _roles():
        store.insert(resource, obj)


def _roles() -> Iterator[tuple[str, Object]]:
    for name, (rules, groups) in ROLES.items():
        meta = {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
        subjects = [{"kind": "Group", "apiGroup": RBAC_GROUP, "name": group} for group in groups]
        ref = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name}
        yield "clusterroles", {"metadata": meta, "rules": rules}
        yield "clusterrolebindings", {"metadata": meta, "roleRef": ref, "subjects": subjects}
