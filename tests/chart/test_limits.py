"""What the controller refuses to start with, the chart refuses to install: every limit of the settings, at its edge."""

from collections.abc import Mapping
from typing import Any

import pytest

from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.namespace.service_account_names import MAX_NAMES
from testsupport.helm import Helms, with_role
from testsupport.settings_agreement import assert_chart_agrees, controller_accepts

ROLE = "arn:aws:iam::222222222222:role/"
OTHER = "arn:aws:iam::333333333333:role/"


def _hosts(number: int) -> list[str]:
    return [f"{account:012}.dkr.ecr.eu-west-1.amazonaws.com" for account in range(number)]


def _accounts(number: int) -> dict[str, Any]:
    names = [f"account-{index}" for index in range(number)]
    return {"serviceAccountAttachment": True, "attachToServiceAccounts": names}


def _grant(**more: Any) -> dict[str, Any]:
    return {"roles": [{"role": f"{ROLE}a", "namespaces": ["a"], **more}]}


def _grants(*roles: tuple[str, str | None]) -> dict[str, Any]:
    grants = [{"role": role, "namespaces": ["a"], "externalId": external_id} for role, external_id in roles]
    return {"roles": [{key: value for key, value in grant.items() if value is not None} for grant in grants]}


def _selector(**expression: Any) -> dict[str, Any]:
    return {"optIn": {"namespaceSelector": {"matchExpressions": [{"key": "a", **expression}]}}}


def _identity(audiences: list[str]) -> dict[str, Any]:
    return {"serviceAccountIdentity": {"namespaces": ["a"], "audiences": audiences}}


def _additional(*changes: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"shape": "argocd-repository", "registry": _hosts(1)[0], "namespaces": ["a"]}
    return {
        "additionalSecrets": [{**entry, "name": f"other-{index}", **change} for index, change in enumerate(changes)]
    }


CASES: Mapping[str, Mapping[str, Any]] = {
    "as many registries as there may be": {"registries": _hosts(MAX_REGISTRIES)},
    "the same, one of them again": {"registries": [*_hosts(MAX_REGISTRIES), *_hosts(1)]},
    "a registry too many": {"registries": _hosts(MAX_REGISTRIES + 1)},
    "as many ServiceAccounts as there may be": _accounts(MAX_NAMES),
    "a ServiceAccount too many": _accounts(MAX_NAMES + 1),
    "a class of 63": {"class": "a" * 63},
    "a class of 64": {"class": "a" * 64},
    "the default class": {"class": ""},
    "a class with a dash at its end": {"class": "a-"},
    "a cluster's name of 40": {"clusterName": "a" * 40},
    "a cluster's name of 41": {"clusterName": "a" * 41},
    "a cluster without a name": {"clusterName": ""},
    "a Secret's name of 253": {"secretName": "a" * 253},
    "a Secret's name of 254": {"secretName": "a" * 254},
    "additional Secrets": _additional({}, {"shape": "cdi", "namespaceSelector": {}}),
    "as many additional Secrets as there may be": _additional(*[{}] * 20),
    "an additional Secret too many": _additional(*[{}] * 21),
    "no additional Secrets": _additional(),
    "an additional Secret with the pull Secret's name": _additional({"name": "ecr-pull-secret"}),
    "two additional Secrets with one name": _additional({"name": "one"}, {"name": "one"}),
    "an additional Secret's name in upper case": _additional({"name": "Other"}),
    "an additional Secret of an unknown shape": _additional({"shape": "argocd"}),
    "an additional Secret for no registry": _additional({"registry": ""}),
    "an additional Secret for a registry with a path": _additional({"registry": f"{_hosts(1)[0]}/charts"}),
    "an additional Secret for ECR Public": _additional({"registry": "public.ecr.aws"}),
    "an additional Secret with a path": _additional({"path": "charts/team-a"}),
    "an additional Secret with an empty path": _additional({"path": "", "shape": "cdi"}),
    "an additional Secret with a path from the root": _additional({"path": "/charts"}),
    "an additional Secret with a path of 256": _additional({"path": "a" * 256}),
    "an additional Secret with a path of 257": _additional({"path": "a" * 257}),
    "an additional Secret of another shape with a path": _additional({"path": "charts", "shape": "argocd-repo-creds"}),
    "an additional Secret for nobody": _additional({"namespaces": []}),
    "an additional Secret for a namespace in upper case": _additional({"namespaces": ["Team"]}),
    "the smallest fraction": {"refreshFraction": 0.1},
    "a fraction too small": {"refreshFraction": 0.09},
    "the largest fraction": {"refreshFraction": 0.9},
    "a fraction too large": {"refreshFraction": 0.91},
    "two workers": {"maxConcurrentReconciles": 2},
    "one worker": {"maxConcurrentReconciles": 1},
    "256 workers": {"maxConcurrentReconciles": 256},
    "257 workers": {"maxConcurrentReconciles": 257},
    "the last port": {"httpPort": 65535},
    "a port too many": {"httpPort": 65536},
    "an ExternalId of 1": _grant(externalId="a"),
    "an ExternalId of 2": _grant(externalId="ab"),
    "an ExternalId of 1,224": _grant(externalId="a" * 1224),
    "an ExternalId of 1,225": _grant(externalId="a" * 1225),
    "an ExternalId with a space": _grant(externalId="a b"),
    "an ExternalId of another alphabet": _grant(externalId="äö"),
    "an ExternalId of every character": _grant(externalId="aZ0_+=,.@:/-"),
    "a namespace in upper case": _grant(namespaces=["Team"]),
    "a namespace's pattern as a text": _grant(namespaces="team-*"),
    "no namespace's name": _grant(namespaces=[""]),
    "no namespaces": _grant(namespaces=[]),
    "a registry's pattern": _grant(registries=["*.dkr.ecr.eu-west-1.*"]),
    "a registry in upper case": _grant(registries=["A.dkr.ecr.*"]),
    "a registry with a path": _grant(registries=["*/app"]),
    "an exception with a dot": {"optIn": {"namespaces": ["*"], "exclude": ["kube.system"]}},
    "an opted-in name with a space": {"optIn": {"namespaces": ["a b"]}},
    "no excluded namespaces": {"excludedNamespaces": []},
    "patterns of excluded namespaces": {"excludedNamespaces": ["kube-*", "*"]},
    "an excluded namespace without a name": {"excludedNamespaces": [""]},
    "an excluded namespace in upper case": {"excludedNamespaces": ["Team"]},
    "an excluded namespace with a dot": {"excludedNamespaces": ["kube.system"]},
    "another audience": _identity(["sts.amazonaws.com", "sts.amazonaws.com.cn"]),
    "no audience": _identity([]),
    "an audience without a name": _identity([""]),
    "an audience of 255": _identity(["a" * 255]),
    "an audience of 256": _identity(["a" * 256]),
    "the audience of an API server": _identity(["https://kubernetes.default.svc"]),
    "the audience of an API server without a scheme": _identity(["kubernetes.default.svc.cluster.local"]),
    "an own identity for a name in upper case": {"controllerIdentity": {"namespaces": "Infra"}},
    "an own identity for a registry with a port": {"controllerIdentity": {"registries": ["public.ecr.aws:443"]}},
    "an own identity for nobody": {"controllerIdentity": {"namespaces": []}},
    "In with values": _selector(operator="In", values=["b"]),
    "In without values": _selector(operator="In"),
    "NotIn with no values": _selector(operator="NotIn", values=[]),
    "Exists": _selector(operator="Exists"),
    "Exists with values": _selector(operator="Exists", values=["b"]),
    "DoesNotExist with values": _selector(operator="DoesNotExist", values=["b"]),
    "two ExternalIds for two roles": _grants((f"{ROLE}a", "one"), (f"{ROLE}b", "two")),
    "two ExternalIds for one role": _grants((f"{ROLE}a", "one"), (f"{ROLE}a", "two")),
    "one ExternalId for one role twice": _grants((f"{ROLE}a", "one"), (f"{ROLE}a", "one")),
    "an ExternalId and none for one role": _grants((f"{ROLE}a", "one"), (f"{ROLE}a", None)),
    "two ExternalIds, a pattern with a role of it": _grants((f"{ROLE}team-blue", "one"), (f"{ROLE}team-*", "two")),
    "two ExternalIds, a pattern before a role of it": _grants((f"{ROLE}team-*", "one"), (f"{ROLE}team-blue", "two")),
    "two ExternalIds, a pattern and another role": _grants((f"{ROLE}x.y", "one"), (f"{ROLE}x*z", "two")),
    "two ExternalIds, patterns that share roles": _grants((f"{ROLE}a-*", "one"), (f"{ROLE}*-b", "two")),
    "two ExternalIds, patterns that share no role": _grants((f"{ROLE}a-*", "one"), (f"{ROLE}b-*", "two")),
    "two ExternalIds, patterns that end differently": _grants((f"{ROLE}*-a", "one"), (f"{ROLE}*-b", "two")),
    "two ExternalIds, patterns of two accounts": _grants((f"{ROLE}*", "one"), (f"{OTHER}*", "two")),
    "two ExternalIds, a dot that is no pattern": _grants((f"{ROLE}a.c*", "one"), (f"{ROLE}abc", "two")),
}


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    return with_role(settings=settings, rbac={"serviceAccountIdentity": {"names": ["puller"]}})


@pytest.fixture(scope="module", autouse=True)
def _prepared(helms: Helms) -> None:
    helms.prepare(map(_values, CASES.values()))


@pytest.mark.parametrize("name", CASES)
def test_the_chart_and_the_controller_take_the_same_settings(helms: Helms, name: str) -> None:
    """Both Helm versions refuse exactly what the process would end with."""
    assert_chart_agrees(helms, _values(CASES[name]), accepted=controller_accepts(CASES[name]))


def test_the_table_has_both_sides() -> None:
    """Enough is accepted and enough refused for the comparison to mean something."""
    accepted = sum(map(controller_accepts, CASES.values()))
    assert 20 < accepted < len(CASES) - 20


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"registries": _hosts(MAX_REGISTRIES + 1)},
            "settings.registries: found 201, expected at most 200 hosts, the number that fits into one Secret",
        ),
        (
            _accounts(MAX_NAMES + 1),
            (
                "settings.attachToServiceAccounts: found 201, "
                'expected at most 200 names, or ["*"] alone for every ServiceAccount'
            ),
        ),
    ],
)
def test_too_many_are_counted(helms: Helms, settings: Mapping[str, Any], line: str) -> None:
    """One line says how many there are and how many there may be."""
    assert {name: answer.lines for name, answer in helms.template(with_role(settings=settings)).items()} == {
        "helm3": [line],
        "helm4": [line],
    }
