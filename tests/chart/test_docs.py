"""The chart's README, its notes and its versions."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from testsupport.helm import CHART, CI_VALUES, REPOSITORY, ROLE, Helms, ci_values, with_role
from tools import chart_docs

OURS = "app.kubernetes.io/managed-by=pullkeeper"
VALUES = (CHART / "values.yaml").read_text()


def test_the_readme_has_the_current_table_of_values() -> None:
    """`make chart-docs` updates it."""
    readme = chart_docs.README.read_text()
    assert readme == chart_docs.updated(readme, VALUES)


def test_a_changed_comment_or_default_changes_the_table() -> None:
    """So the comparison above would fail."""
    readme = chart_docs.README.read_text()
    for changed in (VALUES.replace("replicas: 2", "replicas: 3"), VALUES.replace("# Number of", "# How many")):
        assert chart_docs.updated(readme, changed) != readme


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_every_value_is_documented() -> None:
    """By a comment of its own or that of a parent."""
    documented = [row.path for row in chart_docs.rows(VALUES)]
    assert len(documented) == len(set(documented))
    for leaf in _leaves(yaml.safe_load(VALUES)):
        assert any(leaf == path or leaf.startswith(f"{path}.") for path in documented), leaf


def test_a_missing_table_is_an_error() -> None:
    """Without its markers in the README, the generator does not know where the table belongs."""
    with pytest.raises(ValueError, match="put them around the table"):
        chart_docs.updated("# No table", VALUES)


def test_the_chart_has_the_version_of_the_package() -> None:
    """`appVersion` is also the default tag of the image."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert chart["appVersion"] == package["project"]["version"]


@pytest.mark.parametrize(
    ("version", "status"), [("1.28.15", 1), ("1.29.0", 0), ("v1.29.1-eks-0a1b2c3", 0), ("1.37.0", 0)]
)
def test_it_requires_kubernetes_1_29(helms: Helms, version: str, status: int) -> None:
    """Older clusters are rejected; a vendor's suffix does not make a version a pre-release."""
    answers = helms.on(version)
    assert [answer.status for answer in answers.values()] == [status, status]
    refusal = f"chart requires kubeVersion: >=1.29.0-0 which is incompatible with Kubernetes v{version}"
    assert all((refusal in answer.errors) == bool(status) for answer in answers.values())


def test_the_readme_lists_every_rule_of_the_cluster_role(helms: Helms) -> None:
    """With its resources and verbs."""
    readme = chart_docs.README.read_text()
    for rule in helms.render(with_role()).one("ClusterRole")["rules"]:
        assert f"{', '.join(rule['resources'])}" in readme
        assert ", ".join(rule["verbs"]) in readme


def test_docs_grant_what_the_chart_grants(helms: Helms) -> None:
    """docs/rbac.yaml, for running from a checkout, has the chart's ClusterRole."""
    documents = yaml.safe_load_all((REPOSITORY / "docs" / "rbac.yaml").read_text())
    (role,) = (each for each in documents if each["kind"] == "ClusterRole")
    assert role["rules"] == helms.render(with_role()).one("ClusterRole")["rules"]


NOTES: list[tuple[dict[str, Any], list[str]]] = [
    (
        with_role(),
        [
            "kubectl annotate namespace team-a pullkeeper.dev/enabled=true \\",
            "pullkeeper.dev/registries=123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "kubectl get secret ecr-pull-secret -n team-a",
            "Use it in pods as imagePullSecrets: [{name: ecr-pull-secret}].",
            (
                "They do not get it by themselves, because the API server serves no MutatingAdmissionPolicy in v1 "
                "(Kubernetes 1.36)."
            ),
            (
                "Wrong annotations are told by Events in the namespace alone, not when they are written: the API "
                "server serves no ValidatingAdmissionPolicy in v1 (Kubernetes 1.30)."
            ),
            (
                "There is no admission fence: guard the controller's token like one of every ServiceAccount in the "
                "namespaces that are served."
            ),
            "The API server serves no ValidatingAdmissionPolicy in v1 (Kubernetes 1.30).",
            "kubectl get events -n team-a --field-selector reportingComponent=pullkeeper.dev/controller",
            "helm test pullkeeper -n pullkeeper-system",
            "kubectl logs -n pullkeeper-system pullkeeper-test",
            "system:serviceaccount:pullkeeper-system:pullkeeper and the audience sts.amazonaws.com.",
            "cleanup.onUninstall=true before you uninstall, or run this afterwards:",
            f"kubectl delete secrets -A --field-selector metadata.name=ecr-pull-secret -l {OURS}",
        ],
    ),
    (
        with_role(settings={"registries": ["public.ecr.aws"], "secretName": "pull", "watchNamespaces": ["b", "c"]}),
        [
            "Pullkeeper 0.1.0 maintains the pull Secret pull in every namespace that opts in, of these: b, c.",
            "kubectl annotate namespace b pullkeeper.dev/enabled=true",
            "kubectl get secret pull -n b",
            (
                "They do not get it by themselves, because that takes a cluster-scoped policy, and "
                "settings.watchNamespaces excludes those."
            ),
            (
                "Wrong annotations are told by Events in the namespace alone, not when they are written: that takes a "
                "cluster-scoped policy, and settings.watchNamespaces excludes those."
            ),
            "It takes cluster-scoped policies, and settings.watchNamespaces excludes those.",
            f"kubectl delete secrets -n NAMESPACE --field-selector metadata.name=pull -l {OURS}",
        ],
    ),
    (
        {"aws": {"credentials": "podIdentity"}, "cleanup": {"onUninstall": True}},
        [
            "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace pullkeeper-system \\",
            "--service-account pullkeeper --role-arn ARN",
            "`helm uninstall` deletes the pull Secrets as well.",
        ],
    ),
    (
        ci_values(CHART / "ci" / "roles-anywhere-values.yaml"),
        [
            (
                "rolesanywhere.amazonaws.com, for the trust anchor and the subject of the certificate in the Secret "
                "pullkeeper-aws."
            ),
        ],
    ),
    (
        {"aws": {"credentials": "irsa", "roleArn": ROLE}, "serviceAccount": {"name": "puller"}},
        ["system:serviceaccount:pullkeeper-system:puller."],
    ),
    (
        {"aws": {"credentials": "nodeRole"}, "rbac": {"create": False}, "serviceAccount": {"name": "puller"}},
        [
            "The controller uses the instance role of its node, which all other pods on that node can use, too.",
            "rbac.create is false: grant the permissions in the chart's README to the ServiceAccount puller.",
        ],
    ),
]


@pytest.mark.parametrize(("values", "expected"), NOTES)
def test_the_notes_have_commands_for_this_installation(
    helms: Helms, values: dict[str, Any], expected: list[str]
) -> None:
    """With its names, so that they can be copied."""
    lines = [line.strip() for line in helms.notes(values).splitlines()]
    assert [line for line in expected if line not in lines] == []


@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
def test_the_notes_have_no_gaps(helms: Helms, path: Any) -> None:
    """No missing values and no runs of empty lines, for all values files in ci/."""
    notes = helms.notes(ci_values(path))
    assert "<no value>" not in notes
    assert not re.search(r"\n\s*\n\s*\n", notes.strip())
