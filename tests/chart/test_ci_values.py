"""Rules for every rendering: both Helm versions, all Kubernetes versions, restricted Pod Security Standard."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from testsupport import pod_security, pod_security_mutants
from testsupport.helm import CHART, CI_VALUES, Helms, Object, Rendering, ci_values, pods, with_role
from testsupport.pod_security_mutants import MUTANTS

VERSIONS = [f"1.{minor}" for minor in range(29, 38)]
CUSTOM = dict.fromkeys(("ServiceMonitor", "PodMonitor", "PrometheusRule"), "monitoring.coreos.com/v1")
"""Kinds that are not part of Kubernetes; test_monitoring.py checks their fields."""


@pytest.fixture(params=CI_VALUES, ids=lambda path: path.stem)
def values(request: pytest.FixtureRequest) -> Path:
    """Provide each values file in ci/."""
    path: Path = request.param
    return path


@pytest.fixture
def rendering(helms: Helms, values: Path) -> Rendering:
    """Render it with both Helm versions, which must agree."""
    return helms.render(ci_values(values))


def test_helm_lint_passes(helms: Helms, values: Path) -> None:
    """With --strict and both Helm versions."""
    for name, answer in helms.lint(values).items():
        assert answer.status == 0, f"{name}: {answer.output}{answer.errors}"
        assert "0 chart(s) failed" in answer.output


def test_objects_are_valid_in_every_kubernetes_version(
    rendering: Rendering, validate: Callable[[Object, str], None]
) -> None:
    """From 1.29 to 1.37, without unknown fields."""
    for each in rendering.objects:
        if each["kind"] in CUSTOM:
            assert each["apiVersion"] == CUSTOM[each["kind"]]
        else:
            for version in VERSIONS:
                validate(each, version)


def test_the_validation_finds_a_misspelt_field(helms: Helms, validate: Callable[[Object, str], None]) -> None:
    """In the oldest and in the newest version."""
    deployment = copy.deepcopy(dict(helms.render(with_role()).one("Deployment")))
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    for version in (VERSIONS[0], VERSIONS[-1]):
        with pytest.raises(kubernetes_validate.ValidationError, match="enableServiceLink"):
            validate(deployment, version)


def test_every_pod_meets_the_restricted_standard(rendering: Rendering) -> None:
    """No pod violates a control of the restricted Pod Security Standard."""
    found = {name: pod_security.violations(spec) for name, spec in pods(rendering)}
    assert any(name.startswith("Deployment") for name in found)
    assert [name for name, violated in found.items() if violated] == [], found


def test_every_container_has_a_read_only_root(rendering: Rendering) -> None:
    """Which the restricted standard does not require."""
    for name, spec in pods(rendering):
        for container in pod_security.containers(spec):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


def test_object_names_are_unique(rendering: Rendering) -> None:
    """Of two objects with the same kind, namespace and name, one would overwrite the other."""
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendering.objects]
    assert len(names) == len(set(names))


def test_every_object_has_the_recommended_labels(rendering: Rendering) -> None:
    """The labels that Kubernetes recommends show which release an object belongs to."""
    for each in rendering.objects:
        if not each["metadata"]["name"].endswith("-extra"):
            labels = each["metadata"]["labels"]
            assert {
                f"app.kubernetes.io/{key}" for key in ("name", "instance", "version", "managed-by")
            } <= labels.keys()


def test_yamllint_passes(helms: Helms, tmp_path: Path) -> None:
    """For the chart's own YAML and for what it renders."""
    for path in CI_VALUES:
        (tmp_path / path.name).write_text(helms.render(ci_values(path)).text)
    own = [CHART / "Chart.yaml", CHART / "values.yaml", CHART / "ci"]
    assert _yamllint("tests/chart/yamllint.yaml", *own) == ""
    assert _yamllint("tests/chart/yamllint-rendered.yaml", tmp_path) == ""


def _yamllint(config: str, *paths: Path) -> str:
    command = [sys.executable, "-m", "yamllint", "--strict", "-f", "parsable", "-c", config, *map(str, paths)]
    result = subprocess.run(command, cwd=CHART.parents[1], capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1, 2), result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize(("control", "part", "value"), MUTANTS)
def test_each_control_can_fail(helms: Helms, control: str, part: str, value: Any) -> None:
    """A pod that violates one control is reported for exactly that one."""
    spec = copy.deepcopy(dict(helms.render(with_role()).pod))
    pod_security_mutants.change(spec, part, value)
    assert pod_security.violations(spec) == [control]


def test_each_control_has_a_mutant() -> None:
    """Every control in the table has been seen to fail."""
    assert {control for control, _, _ in MUTANTS} == pod_security.CONTROLS.keys()


def test_init_containers_are_checked_as_well(helms: Helms) -> None:
    """A violation in any type of container is reported."""
    spec = copy.deepcopy(dict(helms.render(with_role()).pod))
    spec["initContainers"] = [{"name": "init", "image": "x"}]
    assert pod_security.violations(spec) == ["Privilege Escalation", "Capabilities dropped"]
