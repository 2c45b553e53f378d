"""The chart as a dependency of a parent chart: its condition, aliases, and what `global` reaches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testsupport.helm import ROLE, Helms, Object, with_role

REPOSITORY = "ghcr.io/pullkeeper/pullkeeper"


def _given(*, enabled: bool, **more: Any) -> dict[str, Any]:
    return {"enabled": enabled, "aws": {"roleArn": ROLE}, **more}


def _ids(objects: list[Object]) -> Iterator[tuple[str, str]]:
    return ((each["kind"], each["metadata"]["name"]) for each in objects)


def test_a_false_condition_leaves_nothing(helms: Helms, parent: Path) -> None:
    """Not one object, and the values need not be valid."""
    off = {"enabled": False, "aws": {"roleArn": "none yet"}}
    assert helms.render_folder(parent, {"pullkeeper": off, "canary": off}) == []


def test_an_alias_names_its_objects(helms: Helms, parent: Path) -> None:
    """Under an alias it is another installation in the same release: no name and no selector is shared."""
    values = {"pullkeeper": _given(enabled=True), "canary": _given(enabled=True)}
    objects = helms.render_folder(parent, values)
    ids = list(_ids(objects))
    assert len(ids) == len(set(ids))
    deployments = [each for each in objects if each["kind"] == "Deployment"]
    assert [each["metadata"]["name"] for each in deployments] == ["x-canary", "x-pullkeeper"]
    first, second = (each["spec"]["selector"]["matchLabels"] for each in deployments)
    assert first != second
    only = helms.render_folder(parent, {"pullkeeper": {"enabled": False}, "canary": values["canary"]})
    assert set(_ids(only)) == {each for each in ids if each[1].startswith("x-canary")}


def test_global_values_reach_every_pod(helms: Helms, parent: Path) -> None:
    """The registry and the Secrets of all charts; keys of other charts are let alone."""
    shared = {"imageRegistry": "mirror.example.com", "imagePullSecrets": ["mirror"], "storageClass": "fast"}
    cleanup = {"onUninstall": True}
    values = {"global": shared, "pullkeeper": _given(enabled=True, cleanup=cleanup), "canary": {"enabled": False}}
    specs = [
        each["spec"] if each["kind"] == "Pod" else each["spec"]["template"]["spec"]
        for each in helms.render_folder(parent, values)
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
