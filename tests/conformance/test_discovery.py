"""What clients read first: versions, groups, resources and their verbs."""

import pytest

from testsupport.rest import RestClient

COMMON = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

RESOURCES: list[tuple[str, str, str, bool, set[str]]] = [
    ("/api/v1", "namespaces", "Namespace", False, COMMON - {"deletecollection"}),
    ("/api/v1", "secrets", "Secret", True, COMMON),
    ("/api/v1", "serviceaccounts", "ServiceAccount", True, COMMON),
    ("/api/v1", "serviceaccounts/token", "TokenRequest", True, {"create"}),
    ("/api/v1", "events", "Event", True, COMMON),
    ("/apis/events.k8s.io/v1", "events", "Event", True, COMMON),
    ("/apis/coordination.k8s.io/v1", "leases", "Lease", True, COMMON),
    ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", False, COMMON),
    ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", False, COMMON),
    ("/apis/rbac.authorization.k8s.io/v1", "roles", "Role", True, COMMON),
    ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", True, COMMON),
    (
        "/apis/authorization.k8s.io/v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        False,
        {"create"},
    ),
]


@pytest.mark.parametrize(("path", "name", "kind", "namespaced", "verbs"), RESOURCES)
async def test_resources(
    api: RestClient, path: str, name: str, kind: str, verbs: set[str], *, namespaced: bool
) -> None:
    """Each resource tells its kind, scope and verbs."""
    listed = (await api.get(path)).ok()
    assert listed["kind"] == "APIResourceList"
    assert listed["groupVersion"] == path.removeprefix("/apis/").removeprefix("/api/")
    [found] = [resource for resource in listed["resources"] if resource["name"] == name]
    assert (found["kind"], found["namespaced"], set(found["verbs"])) == (kind, namespaced, verbs)
    assert "singularName" in found


@pytest.mark.parametrize(
    ("name", "short_names"),
    [("namespaces", ["ns"]), ("serviceaccounts", ["sa"]), ("events", ["ev"]), ("secrets", None)],
)
async def test_short_names(api: RestClient, name: str, short_names: list[str] | None) -> None:
    """Short names are those that kubectl users type; without any the key is absent."""
    listed = (await api.get("/api/v1")).ok()
    [found] = [resource for resource in listed["resources"] if resource["name"] == name]
    assert found.get("shortNames") == short_names


async def test_core_versions(api: RestClient) -> None:
    """The core group lists its versions at /api."""
    versions = (await api.get("/api")).ok()
    assert (versions["kind"], versions["versions"]) == ("APIVersions", ["v1"])


@pytest.mark.parametrize(
    "group",
    ["events.k8s.io", "coordination.k8s.io", "rbac.authorization.k8s.io", "authorization.k8s.io"],
)
async def test_groups(api: RestClient, group: str) -> None:
    """Each group is in /apis and at its own path, with its preferred version."""
    groups = (await api.get("/apis")).ok()
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupList", "v1")
    [found] = [entry for entry in groups["groups"] if entry["name"] == group]
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    assert found["preferredVersion"] == version
    assert version in found["versions"]
    assert (await api.get(f"/apis/{group}")).ok()["preferredVersion"] == version


async def test_version(api: RestClient) -> None:
    """Clients read major, minor and gitVersion."""
    version = (await api.get("/version")).ok()
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


async def test_issuer(api: RestClient) -> None:
    """The issuer of ServiceAccount tokens says where its keys are."""
    found = (await api.get("/.well-known/openid-configuration")).ok()
    assert found["issuer"] == "https://kubernetes.default.svc"
    assert found["jwks_uri"].endswith("/openid/v1/jwks")
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
