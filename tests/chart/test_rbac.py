"""The permissions that the chart grants for each combination of features."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pullkeeper.domain.config.rbac import required_rules
from pullkeeper.domain.config.settings import parse_settings
from testsupport.helm import NAMESPACE, RELEASE, Helms, Object, Rendering, with_role

Permission = tuple[str, str, str, str, str]
"""Namespace (`*`: cluster-wide), API group, resource, name of the object (empty: any), verb."""

SECRET = "ecr-pull-secret"
ALL = "*"


def _permissions(scope: str, group: str, resource: str, verbs: str, name: str = "") -> set[Permission]:
    return {(scope, group, resource, name, verb) for verb in verbs.split()}


def _secrets(scope: str, name: str) -> set[Permission]:
    return _permissions(scope, "", "secrets", "get list watch create patch delete", name)


def _base(scope: str, secret: str = SECRET) -> set[Permission]:
    """Return the permissions for Secrets and Events."""
    return _secrets(scope, secret) | _permissions(scope, "events.k8s.io", "events", "create patch")


def _own(namespace: str) -> set[Permission]:
    return _permissions(namespace, "", "namespaces", "get watch", namespace)


def _identity(scope: str, name: str = "") -> set[Permission]:
    tokens = _permissions(scope, "", "serviceaccounts/token", "create", name)
    return tokens | _permissions(scope, "", "serviceaccounts", "get", name)


def _watched(scope: str, name: str = "") -> set[Permission]:
    return _identity(scope, name) | _permissions(scope, "", "serviceaccounts", "list watch", name)


NAMESPACES = _permissions(ALL, "", "namespaces", "list watch")
CLUSTER = NAMESPACES | _base(ALL)
LEASE = _permissions(NAMESPACE, "coordination.k8s.io", "leases", "get create patch", RELEASE)
ATTACH = _permissions(ALL, "", "serviceaccounts", "list watch patch")

ALONE = {"replicas": 1, "leaderElection": False}
IDENTITY: dict[str, Any] = {"serviceAccountIdentity": {"namespaces": ["team-*"]}}
MANY = [f"puller-{number}" for number in range(201)]
EVERY = {"serviceAccountIdentity": {"names": ["*"]}}
ATTACHING = {"serviceAccountAttachment": True}
TWO: dict[str, Any] = {"watchNamespaces": ["a", "b"]}
ADDITIONAL: dict[str, Any] = {
    "additionalSecrets": [{"name": "argo", "shape": "basic-auth", "registry": "public.ecr.aws", "namespaces": ["*"]}]
}
IN_TWO = _own("a") | _own("b") | _base("a") | _base("b")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, CLUSTER | LEASE, id="defaults"),
        pytest.param(ALONE, CLUSTER, id="without leader election"),
        pytest.param(
            {"settings": {"secretName": "other"}}, NAMESPACES | _base(ALL, "other") | LEASE, id="another Secret name"
        ),
        pytest.param(
            {"rbac": {"previousSecretNames": ["old", SECRET]}},
            NAMESPACES | _base(ALL) | _base(ALL, "old") | LEASE,
            id="a Secret name before",
        ),
        pytest.param({"settings": ADDITIONAL}, CLUSTER | LEASE | _secrets(ALL, "argo"), id="additional Secrets"),
        pytest.param(
            {"settings": TWO | ADDITIONAL},
            IN_TWO | LEASE | _secrets("a", "argo") | _secrets("b", "argo"),
            id="two namespaces, additional Secrets",
        ),
        pytest.param({"settings": ATTACHING}, CLUSTER | LEASE | ATTACH, id="ServiceAccount attachment"),
        pytest.param(
            {"settings": IDENTITY, "rbac": EVERY}, CLUSTER | LEASE | _watched(ALL), id="ServiceAccount identity"
        ),
        pytest.param(
            {"settings": IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["puller"]}}},
            CLUSTER | LEASE | _watched(ALL, "puller"),
            id="identity of named ServiceAccounts",
        ),
        pytest.param(
            {"settings": IDENTITY | ATTACHING, "rbac": {"serviceAccountIdentity": {"names": ["puller"]}}},
            CLUSTER | LEASE | ATTACH | _identity(ALL, "puller"),
            id="identity of named ServiceAccounts, attachment",
        ),
        pytest.param(
            {"settings": IDENTITY, "rbac": {"serviceAccountIdentity": {"names": MANY}}},
            CLUSTER | LEASE | set().union(*(_identity(ALL, name) for name in MANY)),
            id="identity of more ServiceAccounts than are watched",
        ),
        pytest.param(
            {"settings": IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["p"], "namespaces": ["t", "u"]}}},
            CLUSTER | LEASE | _identity("t", "p") | _identity("u", "p"),
            id="identity of named ServiceAccounts in named namespaces",
        ),
        pytest.param(
            {"rbac": {"serviceAccountIdentity": {"names": ["puller"], "namespaces": ["t"]}}},
            CLUSTER | LEASE,
            id="limits without the feature",
        ),
        pytest.param({"settings": TWO}, IN_TWO | LEASE, id="two namespaces"),
        pytest.param({"settings": TWO, **ALONE}, IN_TWO, id="two namespaces without leader election"),
        pytest.param(
            {"settings": TWO | ATTACHING},
            IN_TWO | LEASE | {(scope, *permission[1:]) for scope in "ab" for permission in ATTACH},
            id="two namespaces, attachment",
        ),
        pytest.param(
            {"settings": TWO | IDENTITY, "rbac": EVERY},
            IN_TWO | LEASE | _watched("a") | _watched("b"),
            id="two namespaces, identity",
        ),
        pytest.param(
            {"settings": TWO | IDENTITY, "rbac": {"serviceAccountIdentity": {"names": ["p"], "namespaces": ["b"]}}},
            IN_TWO | LEASE | _identity("b", "p"),
            id="two namespaces, identity in one",
        ),
        pytest.param(
            {"settings": {"watchNamespaces": [NAMESPACE]}},
            _own(NAMESPACE) | _base(NAMESPACE) | LEASE,
            id="its own namespace",
        ),
        pytest.param({"rbac": {"create": False}}, set(), id="managed outside the chart"),
    ],
)
def test_exactly_these_permissions_are_granted(
    helms: Helms, values: Mapping[str, Any], expected: set[Permission]
) -> None:
    """The controller's ServiceAccount has the permissions of the enabled features and no others."""
    assert granted(helms.render(with_role(**values)), RELEASE) == expected


@pytest.mark.parametrize("settings", [pytest.param({}, id="cluster"), pytest.param(TWO, id="two namespaces")])
def test_the_cleanup_needs_no_more_permissions(helms: Helms, settings: Mapping[str, Any]) -> None:
    """Its Job runs as the controller; nothing is granted that could not be granted in a namespace that is gone."""
    before, after = (helms.render(with_role(settings=settings, cleanup={"onUninstall": on})) for on in (False, True))
    added = [each for each in after.objects if each not in before.objects]
    assert [each["kind"] for each in added] == ["Job"]
    assert added[0]["spec"]["template"]["spec"]["serviceAccountName"] == RELEASE
    assert _permissions(ALL if not settings else "a", "", "secrets", "list delete", SECRET) <= granted(after, RELEASE)


@pytest.mark.parametrize("more", [{}, {"cleanup": {"onUninstall": True}}])
def test_watch_namespaces_needs_no_cluster_role(helms: Helms, more: Mapping[str, Any]) -> None:
    """With any combination of features."""
    rendering = helms.render(with_role(settings=TWO | IDENTITY | ATTACHING, rbac=EVERY, **more))
    assert not rendering.all("ClusterRole")
    assert not rendering.all("ClusterRoleBinding")


def test_no_rule_has_a_wildcard(helms: Helms) -> None:
    """Neither for groups, resources nor verbs."""
    for rendering in (
        helms.render(with_role(settings=settings, cleanup={"onUninstall": True})) for settings in ({}, TWO)
    ):
        for role in (*rendering.all("ClusterRole"), *rendering.all("Role")):
            assert "*" not in str(role["rules"])


def granted(rendering: Rendering, account: str) -> set[Permission]:
    """Return the permissions that bindings grant to a ServiceAccount of the release."""
    found: set[Permission] = set()
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in rendering.all(kind):
            subjects = [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]
            if binding["subjects"] == subjects:
                scope = binding["metadata"].get("namespace", ALL)
                found |= {(scope, *rule) for rule in _of_rules(_role(rendering, binding))}
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


def test_tokens_of_every_service_account_are_granted_to_who_says_so(helms: Helms) -> None:
    """Without a name the chart refuses: RBAC would take an empty list of names for all of them."""
    answers = helms.template(with_role(settings=IDENTITY))
    assert [answer.status for answer in answers.values()] == [1, 1]
    assert helms.render(with_role(settings=IDENTITY, rbac=EVERY)).all("ClusterRole")


@pytest.mark.parametrize(
    ("settings", "identity", "expected"),
    [
        (IDENTITY, {"names": ["b", "a"]}, ["b", "a"]),
        (IDENTITY, {"names": ["*"]}, ["*"]),
        (IDENTITY | TWO, {"names": ["a"]}, ["a"]),
        (IDENTITY | TWO, {"names": ["a"], "namespaces": ["b"]}, None),
        (IDENTITY, {"names": ["a"], "namespaces": ["b"]}, None),
        (IDENTITY | ATTACHING, {"names": ["a"]}, None),
        (IDENTITY, {"names": MANY}, None),
        ({}, {"names": ["a"]}, None),
    ],
)
def test_the_controller_is_told_which_service_accounts_it_may_watch(
    helms: Helms, settings: Mapping[str, Any], identity: Mapping[str, Any], expected: list[str] | None
) -> None:
    """Where it may watch them wherever it works; what is granted is exactly what the settings require."""
    rendering = helms.render(with_role(settings=settings, rbac={"serviceAccountIdentity": identity}))
    assert rendering.settings.get("watchedServiceAccounts") == expected
    required = {
        (rule.namespace or ALL, rule.name, rule.verb)
        for rule in required_rules(parse_settings(rendering.settings, {}))
        if rule.resource == "serviceaccounts" and rule.verb in {"list", "watch"}
    }
    granted_ones = granted(rendering, RELEASE)
    assert required == {
        (scope, name, verb)
        for scope, _, resource, name, verb in granted_ones
        if resource == "serviceaccounts" and verb in {"list", "watch"}
    }


def test_the_controller_watches_nothing_by_rights_that_others_grant(helms: Helms) -> None:
    """They are not known to the chart: the ServiceAccounts are read."""
    rbac = {"create": False, "serviceAccountIdentity": {"names": ["a"]}}
    assert "watchedServiceAccounts" not in helms.render(with_role(settings=IDENTITY, rbac=rbac)).settings
