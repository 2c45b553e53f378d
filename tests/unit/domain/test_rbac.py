"""The RBAC rules that the settings require, and those that must not be granted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.policy import ANYBODY, Policy
from pullkeeper.domain.config.rbac import RbacRule, forbidden_rules, required_rules, service_account_rules
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames

OWN_ACCOUNTS = Policy(service_accounts=ANYBODY)
NAMED = ("get", "list", "watch", "create", "patch", "delete")


def spelt_out(rule: Mapping[str, Any]) -> Iterator[RbacRule]:
    """Give each right of an RBAC rule by itself."""
    for verb in rule["verbs"]:
        for group in rule["apiGroups"]:
            for kind in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    resource, _, subresource = kind.partition("/")
                    yield RbacRule(verb=verb, group=group, resource=resource, subresource=subresource, name=name)


def test_the_documented_rules_are_those_of_the_default_settings() -> None:
    """docs/rbac.yaml grants exactly what is required."""
    documents = yaml.safe_load_all(Path("docs/rbac.yaml").read_text())
    (role,) = [document for document in documents if document["kind"] == "ClusterRole"]
    assert {right for rule in role["rules"] for right in spelt_out(rule)} == set(required_rules(Settings()))


def test_leader_election_requires_rules_for_the_lease() -> None:
    """For one Lease by name, in one namespace."""
    settings = Settings(leader_election=True, lease_name="one", lease_namespace="home")
    more = set(required_rules(settings)) - set(required_rules(Settings()))
    assert more == {
        RbacRule(verb=verb, group="coordination.k8s.io", resource="leases", name="one", namespace="home")
        for verb in ("get", "create", "patch")
    }


def test_service_account_identity_requires_rules_for_service_accounts() -> None:
    """The names are not known, so rules for single names suffice."""
    more = set(required_rules(Settings(policy=OWN_ACCOUNTS))) - set(required_rules(Settings()))
    assert more == {
        RbacRule(verb="get", resource="serviceaccounts", any_name_suffices=True),
        RbacRule(verb="create", resource="serviceaccounts", subresource="token", any_name_suffices=True),
    }


@pytest.mark.parametrize("namespaces", [("",), ("a", "b")])
def test_attachment_requires_rules_for_service_accounts(namespaces: tuple[str, ...]) -> None:
    """In all namespaces, or in each watched one."""
    off = Settings(watch_namespaces=tuple(filter(None, namespaces)))
    more = set(required_rules(replace(off, service_account_attachment=True))) - set(required_rules(off))
    assert more == {
        RbacRule(verb=verb, resource="serviceaccounts", namespace=namespace)
        for verb in ("list", "watch", "patch")
        for namespace in namespaces
    }


@pytest.mark.parametrize("namespaces", [("",), ("a", "b")])
@pytest.mark.parametrize(
    ("watched", "names"),
    [(ServiceAccountNames(names=frozenset({"p", "q"})), ("p", "q")), (ServiceAccountNames(every=True), ("",))],
)
def test_watched_service_accounts_require_rules_for_their_names(
    namespaces: tuple[str, ...], watched: ServiceAccountNames, names: tuple[str, ...]
) -> None:
    """To list and watch those of each name, or all of them; where all are watched to attach to, none beside."""
    off = Settings(watch_namespaces=tuple(filter(None, namespaces)), policy=OWN_ACCOUNTS)
    assert set(required_rules(replace(off, watched_service_accounts=watched))) - set(required_rules(off)) == {
        RbacRule(verb=verb, resource="serviceaccounts", name=name, namespace=namespace)
        for verb in ("list", "watch")
        for name in names
        for namespace in namespaces
    }
    attaching = replace(off, service_account_attachment=True)
    assert required_rules(replace(attaching, watched_service_accounts=watched)) == required_rules(attaching)


def test_with_watched_namespaces_nothing_is_required_elsewhere() -> None:
    """Every rule is in a watched namespace, whose Namespace object is read by name."""
    settings = Settings(watch_namespaces=("a", "b"), secret_name="pull", policy=OWN_ACCOUNTS)
    rights = required_rules(settings)
    assert {right.namespace for right in rights} == {"a", "b"}
    in_a = {(right.verb, right.resource, right.subresource, right.name) for right in rights if right.namespace == "a"}
    assert in_a == {
        ("get", "namespaces", "", "a"),
        ("watch", "namespaces", "", "a"),
        *((verb, "secrets", "", "pull") for verb in NAMED),
        ("create", "events", "", ""),
        ("patch", "events", "", ""),
        ("get", "serviceaccounts", "", ""),
        ("create", "serviceaccounts", "token", ""),
    }


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(leader_election=True, policy=OWN_ACCOUNTS),
        Settings(watch_namespaces=("kube-system",), policy=OWN_ACCOUNTS),
    ],
)
def test_no_required_rule_is_forbidden(settings: Settings) -> None:
    """A required rule with a name does not grant a forbidden one without."""
    required_anywhere = {
        (right.verb, right.group, right.resource, right.subresource)
        for right in required_rules(settings)
        if not right.name
    }
    assert not required_anywhere & {
        (right.verb, right.group, right.resource, right.subresource) for right in forbidden_rules(settings)
    }


def test_exactly_these_rules_are_forbidden() -> None:
    """Other Secrets, Namespaces, pods, every way to escalate; one that is misspelt would find nothing."""
    rbac = "rbac.authorization.k8s.io"
    expected = {
        *(RbacRule(verb=verb, resource="secrets", namespace="kube-system") for verb in NAMED),
        *(RbacRule(verb=verb, resource="namespaces") for verb in ("create", "update", "patch", "delete")),
        *(RbacRule(verb=verb, group=rbac, resource="clusterroles") for verb in ("bind", "escalate", "patch")),
        RbacRule(verb="create", resource="serviceaccounts", subresource="token"),
        RbacRule(verb="create", resource="pods"),
        RbacRule(verb="create", resource="pods", subresource="exec"),
        RbacRule(verb="impersonate", resource="users"),
    }
    assert set(forbidden_rules(Settings())) == expected


@pytest.mark.parametrize(
    ("right", "words", "grant"),
    [
        (
            RbacRule(verb="list", resource="namespaces"),
            "list namespaces everywhere",
            'add to the ClusterRole: {apiGroups: [""], resources: [namespaces], verbs: [list]}',
        ),
        (
            RbacRule(verb="get", resource="secrets", name="pull", namespace="a"),
            "get secrets named pull in a",
            'add to the Role in a: {apiGroups: [""], resources: [secrets], resourceNames: [pull], verbs: [get]}',
        ),
        (
            RbacRule(verb="get", resource="namespaces", name="a", namespace="a"),
            "get namespaces in a",
            'add to the Role in a: {apiGroups: [""], resources: [namespaces], resourceNames: [a], verbs: [get]}',
        ),
        (
            RbacRule(verb="create", group="g", resource="things", subresource="part"),
            "create things/part.g everywhere",
            'add to the ClusterRole: {apiGroups: ["g"], resources: [things/part], verbs: [create]}',
        ),
    ],
)
def test_a_rule_is_described_with_how_to_grant_it(right: RbacRule, words: str, grant: str) -> None:
    """Ready to paste."""
    assert (str(right), right.grant) == (words, grant)


def test_tokens_of_one_service_account_need_rights_for_its_name_alone() -> None:
    """Two rules of its namespace."""
    assert {
        (rule.verb, rule.subresource, rule.name, rule.namespace) for rule in service_account_rules("a", "puller")
    } == {
        ("get", "", "puller", "a"),
        ("create", "token", "puller", "a"),
    }
