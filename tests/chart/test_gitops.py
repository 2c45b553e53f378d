"""docs/gitops.md: its manifests have the fields that Argo CD and Flux know, and their values render."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from testsupport.helm import REPOSITORY, Helms, Rendering, with_role
from testsupport.helm_tools import find
from tools.release import names

PAGE = (REPOSITORY / "docs" / "gitops.md").read_text()
FIELDS: Mapping[str, Mapping[str, str]] = yaml.safe_load(
    (REPOSITORY / "testsupport" / "gitops_fields.yaml").read_text()
)
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MANIFESTS: dict[str, dict[str, Any]] = {
    f"{each['kind']} {each['metadata']['name']}": each for block in BLOCKS for each in yaml.safe_load_all(block)
}
VALUES = {"Application pullkeeper": ("source", "helm", "valuesObject"), "HelmRelease pullkeeper": ("values",)}
"""Where the chart's values are in a spec."""
TYPES = {"string": str, "boolean": bool, "map": dict}


def leaves(found: Any, path: str, known: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each field with its value; the inside of a map is nobody's field."""
    if known.get(path) == "map":
        yield path, found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from leaves(value, f"{path}.{key}", known)
    elif isinstance(found, list):
        for value in found:
            yield from leaves(value, f"{path}[]", known)
    else:
        yield path, found


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_every_field_is_one_of_its_kind(manifest: dict[str, Any]) -> None:
    """With a value of its type, and of its choices where it has any; a new field is looked up first."""
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    known = FIELDS[f"{manifest['apiVersion']} {manifest['kind']}"]
    for path, value in leaves(manifest["spec"], "spec", known):
        assert path in known, f"look up {path} of {manifest['kind']}"
        kind, _, choices = known[path].partition(" of ")
        assert isinstance(value, TYPES[kind]), path
        assert not choices or value in choices.split(), path


def test_no_fact_is_left_over() -> None:
    """What the page does not use any more is not kept."""
    used: dict[str, set[str]] = {kind: set() for kind in FIELDS}
    for manifest in MANIFESTS.values():
        kind = f"{manifest['apiVersion']} {manifest['kind']}"
        used[kind] |= {path for path, _ in leaves(manifest["spec"], "spec", FIELDS[kind])}
    assert used == {kind: set(known) for kind, known in FIELDS.items()}


@pytest.mark.parametrize("name", VALUES)
def test_the_values_render(helms: Helms, name: str) -> None:
    """With both Helms, so the chart's schema and checks accept them."""
    values = MANIFESTS[name]["spec"]
    for key in VALUES[name]:
        values = values[key]
    assert helms.render(values).settings["registries"] == ["123456789012.dkr.ecr.eu-west-1.amazonaws.com"]


def test_the_chart_comes_from_where_releases_go() -> None:
    """Under the names of release.toml, and verified by the identity that signs."""
    known = names.read()
    source = MANIFESTS["Application pullkeeper"]["spec"]["source"]
    assert f"{source['repoURL']}/{source['chart']}" == known.chart
    flux = MANIFESTS["OCIRepository pullkeeper"]["spec"]
    assert flux["url"] == f"oci://{known.chart}"
    (identity,) = flux["verify"]["matchOIDCIdentity"]
    assert re.match(identity["subject"], f"{known.workflow}@refs/tags/v1.2.3")
    assert not re.match(identity["subject"], f"{known.repository}-fork/{names.WORKFLOW}@refs/tags/v1.2.3")
    assert re.match(identity["issuer"], "https://token.actions.githubusercontent.com")


def test_a_teams_namespace_opts_in_and_its_secret_is_no_orphan(helms: Helms) -> None:
    """By the annotations that the controller reads, and under the name that the pull Secret has by default."""
    annotations = MANIFESTS["Application team-a"]["spec"]["syncPolicy"]["managedNamespaceMetadata"]["annotations"]
    assert annotations["pullkeeper.dev/enabled"] == "true"
    (ignored,) = MANIFESTS["AppProject team-a"]["spec"]["orphanedResources"]["ignore"]
    assert ignored == {"group": "", "kind": "Secret", "name": helms.render(with_role()).settings["secretName"]}


ROWS = re.findall(r"^\| `([a-zA-Z.]+): \w+` \| (?:`([\w.]+/v1/\w+)`|the same)", PAGE, re.MULTILINE)


def test_the_table_names_what_auto_values_need(helms: Helms) -> None:
    """Each kind is rendered if it is served and not otherwise, and no other value depends on what is served."""
    assert [value for value, _ in ROWS] == [
        "admission.injection",
        "admission.fence",
        "admission.validation",
        "prometheusRule.enabled",
    ]
    nothing = _kinds(helms.render(with_role()))
    for served in {api for _, api in ROWS if api}:
        kind = served.rpartition("/")[2]
        more = _kinds(helms.render(with_role(), served=[served])) - nothing
        assert {each for each in more if not each.endswith("Binding")} == {kind}
    templates = "".join(path.read_text() for path in (REPOSITORY / "charts/pullkeeper/templates").rglob("*.*"))
    asked = set(re.findall(r'APIVersions\.Has "([^"]+)"', templates))
    assert {each for each in asked if "/v1/" in each} <= {api for _, api in ROWS}


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_rendered_manifests_as_written(helm: str) -> None:
    """From the chart's folder in place of the registry: both policies are there, and nothing of Helm's hooks."""
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    words = shlex.split(block.replace("\\\n", " ").removeprefix("$ "))
    place = words.index(f"oci://{names.read().chart}")
    assert words[place + 1 : place + 3] == ["--version", "X.Y.Z"]
    words[place : place + 3] = ["charts/pullkeeper"]
    words[words.index("values.yaml")] = "-"
    words[0] = str(getattr(find(), helm))
    done = subprocess.run(
        words, input=json.dumps(with_role()), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert {"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"} <= {each["kind"] for each in found}
    assert [each for each in found if "helm.sh/hook" in each["metadata"].get("annotations", {})] == []


def _kinds(rendering: Rendering) -> set[str]:
    return {each["kind"] for each in rendering.objects}
