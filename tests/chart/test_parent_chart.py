"""The chart as a dependency of a parent chart: its condition, aliases, and what `global` reaches."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testsupport.helm import CHART, ROLE, Helms, Object, with_role
from testsupport.helm_tools import find

REPOSITORY = "ghcr.io/pullkeeper/pullkeeper"


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Provide a parent chart that has this one twice, the second time under an alias, each with a condition."""
    folder = tmp_path / "parent"
    shutil.copytree(CHART, folder / "charts" / "pullkeeper")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    one = {"name": "pullkeeper", "version": version, "condition": "pullkeeper.enabled"}
    dependencies = [one, {**one, "alias": "canary", "condition": "canary.enabled"}]
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": dependencies}
    (folder / "Chart.yaml").write_text(json.dumps(chart))
    return folder


def _render(parent: Path, values: Mapping[str, Any]) -> list[Object]:
    """Return what both Helm versions make of a parent chart; they must agree."""
    tools = find()
    texts = set()
    for helm in (tools.helm3, tools.helm4):
        command = [str(helm), "template", "x", str(parent), "--values", "-"]
        result = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        texts.add(result.stdout)
    (text,) = texts
    return [each for each in yaml.safe_load_all(text) if each]


def _given(*, enabled: bool, **more: Any) -> dict[str, Any]:
    return {"enabled": enabled, "aws": {"roleArn": ROLE}, **more}


def _ids(objects: list[Object]) -> Iterator[tuple[str, str]]:
    return ((each["kind"], each["metadata"]["name"]) for each in objects)


def test_a_false_condition_leaves_nothing(parent: Path) -> None:
    """Not one object, and the values need not be valid."""
    off = {"enabled": False, "aws": {"roleArn": "none yet"}}
    assert _render(parent, {"pullkeeper": off, "canary": off}) == []


def test_an_alias_names_its_objects(parent: Path) -> None:
    """Under an alias it is another installation in the same release: no name and no selector is shared."""
    values = {"pullkeeper": _given(enabled=True), "canary": _given(enabled=True)}
    objects = _render(parent, values)
    ids = list(_ids(objects))
    assert len(ids) == len(set(ids))
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    assert [each["metadata"]["name"] for each in deployments] == ["x-canary", "x-pullkeeper"]
    first, second = (each["spec"]["selector"]["matchLabels"] for each in deployments)
    assert first != second
    only = _render(parent, {"pullkeeper": {"enabled": False}, "canary": values["canary"]})
    assert set(_ids(only)) == {each for each in ids if each[1].startswith("x-canary")}


def test_global_values_reach_every_pod(parent: Path) -> None:
    """The registry and the Secrets of all charts; keys of other charts are let alone."""
    shared = {"imageRegistry": "mirror.example.com", "imagePullSecrets": ["mirror"], "storageClass": "fast"}
    cleanup = {"onUninstall": True}
    values = {"global": shared, "pullkeeper": _given(enabled=True, cleanup=cleanup), "canary": {"enabled": False}}
    specs = [
        each["spec"] if each["kind"] == "Pod" else each["spec"]["template"]["spec"]
        for each in _render(parent, values)
        if each["kind"] in ("Pod", "Job", "Deployment")
    ]
    assert len(specs) == 3
    for spec in specs:
        assert spec["imagePullSecrets"] == [{"name": "mirror"}]
        assert spec["containers"][0]["image"] == "mirror.example.com/pullkeeper/pullkeeper:0.1.0"


@pytest.mark.parametrize(
    ("registry", "repository", "expected"),
    [
        ("", REPOSITORY, REPOSITORY),
        ("mirror.example.com", REPOSITORY, "mirror.example.com/pullkeeper/pullkeeper"),
        ("mirror.example.com:5000/ghcr", REPOSITORY, "mirror.example.com:5000/ghcr/pullkeeper/pullkeeper"),
        ("mirror.example.com", "localhost/pullkeeper", "mirror.example.com/pullkeeper"),
        ("mirror.example.com", "registry:5000/pullkeeper", "mirror.example.com/pullkeeper"),
        ("mirror.example.com", "platform/pullkeeper", "mirror.example.com/platform/pullkeeper"),
        ("mirror.example.com", "pullkeeper", "mirror.example.com/pullkeeper"),
    ],
)
def test_the_global_registry_replaces_the_host(helms: Helms, registry: str, repository: str, expected: str) -> None:
    """What is a host is told from a path as container runtimes do: by a dot, a colon, or the name localhost."""
    values = with_role(image={"repository": repository}, **{"global": {"imageRegistry": registry}})
    assert helms.render(values).container["image"] == f"{expected}:0.1.0"


def test_pull_secrets_of_all_charts_come_after_the_charts_own(helms: Helms) -> None:
    """In either notation, and each once."""
    shared = {"imagePullSecrets": ["mirror", {"name": "own"}, {"name": "other"}]}
    values = with_role(imagePullSecrets=[{"name": "own"}], **{"global": shared})
    assert helms.render(values).pod["imagePullSecrets"] == [{"name": "own"}, {"name": "mirror"}, {"name": "other"}]


@pytest.mark.parametrize("given", [None, {}, {"imageRegistry": None, "imagePullSecrets": None}])
def test_global_may_be_empty(helms: Helms, given: Any) -> None:
    """A parent chart may remove any of its defaults."""
    rendering = helms.render(with_role(**{"global": given}))
    assert rendering.container["image"] == f"{REPOSITORY}:0.1.0"
    assert "imagePullSecrets" not in rendering.pod
