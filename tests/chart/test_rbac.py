"""The rights that the chart grants: for each combination of features exactly these, and no more."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from testsupport.helm import NAMESPACE, RELEASE, Helms, Object, Rendering, with_role

Right = tuple[str, str, str, str, str]
"""Namespace (`*`: the whole cluster), API group, resource, the object's name (empty: any), verb."""

SECRET = "ecr-pull-secret"
ALL = "*"


def _rights(scope: str, group: str, resource: str, verbs: str, name: str = "") -> set[Right]:
    return {(scope, group, resource, name, verb) for verb in verbs.split()}


def _work(scope: str, secret: str = SECRET) -> set[Right]:
    """Give what the main job needs, wherever it is done."""
    secrets = _rights(scope, "", "secrets", "get list watch create patch delete", secret)
    return secrets | _rights(scope, "events.k8s.io", "events", "create patch")


def _own(namespace: str) -> set[Right]:
    return _rights(namespace, "", "namespaces", "get watch", namespace)


def _identity(scope: str, name: str = "") -> set[Right]:
    tokens = _rights(scope, "", "serviceaccounts/token", "create", name)
    return tokens | _rights(scope, "", "serviceaccounts", "get", name)


NAMESPACES = _rights(ALL, "", "namespaces", "list watch")
CLUSTER = NAMESPACES | _work(ALL)
LEASE = _rights(NAMESPACE, "coordination.k8s.io", "leases", "get create patch", RELEASE)
ATTACH = _rights(ALL, "", "serviceaccounts", "list watch patch")

ALONE = {"replicas": 1, "leaderElection": False}
IDENTITY: dict[str, Any] = {"serviceAccountIdentity": {"namespaces": ["team-*"]}}
ATTACHING = {"serviceAccountAttachment": True}
TWO: dict[str, Any] = {"watchNamespaces": ["a", "b"]}
IN_TWO = _own("a") | _own("b") | _work("a") | _work("b")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, CLUSTER | LEASE, id="by default"),
        pytest.param(ALONE, CLUSTER, id="without a Lease"),
        pytest.param(
            {"settings": {"secretName": "other"}}, NAMESPACES | _work(ALL, "other") | LEASE, id="other Secret"
        ),
        pytest.param({"settings": ATTACHING}, CLUSTER | LEASE | ATTACH, id="attaching to ServiceAccounts"),
        pytest.param({"settings": IDENTITY}, CLUSTER | LEASE | _identity(ALL), id="identity of ServiceAccounts"),
        pytest.param(
            {"settings": IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["puller"]}}},
            CLUSTER | LEASE | _identity(ALL, "puller"),
            id="identity of named ServiceAccounts",
        ),
        pytest.param(
            {"settings": IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["p"], "namespaces": ["t", "u"]}}},
            CLUSTER | LEASE | _identity("t", "p") | _identity("u", "p"),
            id="identity of named ServiceAccounts in named namespaces",
        ),
        pytest.param(
            {"rbac": {"serviceAccountIdentity": {"names": ["puller"], "namespaces": ["t"]}}},
            CLUSTER | LEASE,
            id="bounds without the feature",
        ),
        pytest.param({"settings": TWO}, IN_TWO | LEASE, id="two namespaces"),
        pytest.param({"settings": TWO, **ALONE}, IN_TWO, id="two namespaces without a Lease"),
        pytest.param(
            {"settings": TWO | ATTACHING},
            IN_TWO | LEASE | {(scope, *right[1:]) for scope in "ab" for right in ATTACH},
            id="two namespaces, attaching",
        ),
        pytest.param(
            {"settings": TWO | IDENTITY},
            IN_TWO | LEASE | _identity("a") | _identity("b"),
            id="two namespaces, identity",
        ),
        pytest.param(
            {"settings": TWO | IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["p"], "namespaces": ["b"]}}},
            IN_TWO | LEASE | _identity("b", "p"),
            id="two namespaces, identity in one",
        ),
        pytest.param(
            {"settings": {"watchNamespaces": [NAMESPACE]}}, _own(NAMESPACE) | _work(NAMESPACE) | LEASE, id="its own"
        ),
        pytest.param({"rbac": {"create": False}}, set(), id="given by somebody else"),
    ],
)
def test_exactly_these_rights_are_granted(helms: Helms, values: Mapping[str, Any], expected: set[Right]) -> None:
    """The controller's ServiceAccount gets what its features need, feature by feature, and nothing else."""
    assert granted(helms.render(with_role(**values)), RELEASE) == expected


@pytest.mark.parametrize(
    ("settings", "scopes"), [pytest.param({}, [ALL], id="cluster"), pytest.param(TWO, ["a", "b"], id="two namespaces")]
)
def test_the_cleanup_has_its_own_rights(helms: Helms, settings: Mapping[str, Any], scopes: list[str]) -> None:
    """The Job that deletes the Secrets can list and delete those of the one name, and is another ServiceAccount."""
    rendering = helms.render(with_role(settings=settings, cleanup={"onUninstall": True}))
    expected = {right for scope in scopes for right in _rights(scope, "", "secrets", "list delete", SECRET)}
    assert granted(rendering, f"{RELEASE}-cleanup") == expected
    assert not expected & (granted(rendering, RELEASE) - granted(helms.render(with_role(settings=settings)), RELEASE))


@pytest.mark.parametrize("more", [{}, {"cleanup": {"onUninstall": True}}])
def test_the_namespaced_mode_has_nothing_cluster_wide(helms: Helms, more: Mapping[str, Any]) -> None:
    """With `watchNamespaces` there is no ClusterRole and no ClusterRoleBinding at all."""
    rendering = helms.render(with_role(settings=TWO | IDENTITY | ATTACHING, **more))
    assert not rendering.all("ClusterRole")
    assert not rendering.all("ClusterRoleBinding")


def test_no_right_is_a_wildcard(helms: Helms) -> None:
    """Nothing is granted by `*`."""
    for rendering in (
        helms.render(with_role(settings=settings, cleanup={"onUninstall": True})) for settings in ({}, TWO)
    ):
        for role in (*rendering.all("ClusterRole"), *rendering.all("Role")):
            assert "*" not in str(role["rules"])


def granted(rendering: Rendering, account: str) -> set[Right]:
    """Follow the bindings of a ServiceAccount of the release to what they grant."""
    found: set[Right] = set()
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in rendering.all(kind):
            subjects = [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]
            if binding["subjects"] == subjects:
                scope = binding["metadata"].get("namespace", ALL)
                found |= {(scope, *right) for right in _of_rules(_role(rendering, binding))}
    return found


def _role(rendering: Rendering, binding: Object) -> Object:
    reference, namespace = binding["roleRef"], binding["metadata"].get("namespace")
    (role,) = (
        each
        for each in rendering.all(reference["kind"])
        if each["metadata"]["name"] == reference["name"] and each["metadata"].get("namespace") == namespace
    )
    return role


def _of_rules(role: Object) -> Iterator[tuple[str, str, str, str]]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    yield from ((group, resource, name, verb) for verb in rule["verbs"])
