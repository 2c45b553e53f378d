"""The chart as it is published: from a registry, with links that work there."""

import hashlib
import re
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.registry import serve_registry
from testsupport import interop_tools
from testsupport.helm import CHART, NAMESPACE, RELEASE, ROLE
from testsupport.helm_tools import Tools
from tools.release.build import Artefacts
from tools.release.chart import metadata
from tools.release.links import absolute
from tools.release.names import Names
from tools.release.source import Source

NAMES = Names(image="h/i", charts="h/c", repository="https://h/o/r")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    """Run a real registry; gives its host."""
    async with serve_registry(interop_tools.find(), tmp_path) as url:
        yield url.removeprefix("http://")


def read(built: Artefacts, name: str) -> str:
    """Read a file of the packed chart."""
    with tarfile.open(built.chart) as archive:
        member = archive.extractfile(f"pullkeeper/{name}")
        assert member is not None
        return member.read().decode()


def run(*command: str | Path) -> str:
    """Run a command that has to succeed; returns what it printed, errors included."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, programs: Tools) -> Path:
    """Give each Helm."""
    path: Path = getattr(programs, request.param)
    return path


async def test_the_chart_goes_to_a_registry_and_comes_back(
    built: Artefacts, tree: Source, registry: str, tmp_path: Path, helm: Path
) -> None:
    """Pushed under the name of release.toml and pulled by version it is the same archive; both Helms render it."""
    place = f"{registry}/{tree.names.charts.partition('/')[2]}"
    pushed = run(helm, "push", built.chart, f"oci://{place}", "--plain-http")
    assert f"Pushed: {place}/pullkeeper:{tree.version}" in pushed
    chart = (f"oci://{place}/pullkeeper", "--version", tree.version, "--plain-http")
    run(helm, "pull", *chart, "--destination", tmp_path)
    assert _sha256(tmp_path / built.chart.name) == _sha256(built.chart)
    options = ("--namespace", NAMESPACE, "--set", f"aws.roleArn={ROLE}")
    rendered = run(helm, "template", RELEASE, *chart, *options)
    from_source = run(helm, "template", RELEASE, CHART, *options)
    objects = rendered[rendered.index("# Source: ") :]  # before that, Helm says what it pulled
    assert objects == from_source[from_source.index("# Source: ") :]
    assert f'image: "{tree.names.image}:{tree.version}"' in objects


def test_the_packed_readme_has_absolute_links_only(built: Artefacts, tree: Source) -> None:
    """To files that are there; and it installs the published chart, not a folder."""
    readme = read(built, "README.md")
    targets = re.findall(r"\]\(([^()\s]+)\)", readme)
    release = f"{tree.names.repository}/blob/v{tree.version}/"
    ours = [target.removeprefix(release).partition("#")[0] for target in targets if target.startswith(release)]
    assert set(ours) >= {"README.md", "docs/identities.md"}
    assert [path for path in ours if not (tree.root / path).exists()] == []
    assert [target for target in targets if not re.match("https://|#", target)] == []
    assert f"helm install pullkeeper oci://{tree.names.chart} --version {tree.version} " in readme
    assert "pullkeeper charts/pullkeeper" not in readme


def test_artifact_hub_finds_what_it_shows(built: Artefacts, tree: Source) -> None:
    """Links, icon and image of this version; nobody's invented name; and a file for the repository."""
    chart = yaml.safe_load(read(built, "Chart.yaml"))
    release = f"{tree.names.repository}/raw/v{tree.version}/"
    assert chart["icon"].startswith(release)
    icon = tree.root / chart["icon"].removeprefix(release)
    assert icon.read_text().startswith("<svg ")
    assert [set(each) for each in chart["maintainers"]] == [{"name", "url"}]
    notes = {key.removeprefix("artifacthub.io/"): yaml.safe_load(text) for key, text in chart["annotations"].items()}
    assert notes["images"] == [{"name": "pullkeeper", "image": f"{tree.names.image}:{tree.version}"}]
    assert {link["name"] for link in notes["links"]} == {"Documentation", "Runbook", "Security"}
    for link in notes["links"]:
        path = link["url"].removeprefix(f"{tree.names.repository}/blob/v{tree.version}/")
        assert (tree.root / path).is_file()
    assert yaml.safe_load((tree.root / "artifacthub-repo.yml").read_text()) == {"ignore": []}


@pytest.mark.parametrize(
    ("version", "prerelease"),
    [("1.2.3", "false"), ("0.1.0", "false"), ("1.2.3-rc.1", "true"), ("1.2.3+build-5", "false")],
)
def test_a_prerelease_is_one_by_its_version(version: str, prerelease: str) -> None:
    """As semantic versioning has it: what follows a hyphen, but for build metadata."""
    chart: dict[str, Any] = metadata({"annotations": {}}, NAMES, version)
    assert chart["annotations"]["artifacthub.io/prerelease"] == prerelease
    assert chart["version"] == chart["appVersion"] == version


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("[a](../../docs/b.md#c)", "[a](https://h/o/r/blob/v1/docs/b.md#c)"),
        ("[a](values.yaml)", "[a](https://h/o/r/blob/v1/charts/pullkeeper/values.yaml)"),
        ("![a](../../docs/b.svg)", "![a](https://h/o/r/raw/v1/docs/b.svg)"),
        ("[a](#c) [b](https://x/y)", "[a](#c) [b](https://x/y)"),
        ("[two\nlines](../../README.md)", "[two\nlines](https://h/o/r/blob/v1/README.md)"),
    ],
)
def test_links_are_of_the_release(written: str, published: str) -> None:
    """From whatever folder, across lines; anchors and absolute links stay."""
    assert absolute(written, "charts/pullkeeper", NAMES, "1") == published


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
