"""deploy/: the chart's objects for those who use kubectl or Kustomize."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.app.config_loader import parse
from testsupport.helm import CHART, NAMESPACE, REPOSITORY, Object
from testsupport.helm_tools import Tools, find
from tools.release import names
from tools.release.manifests import KUBERNETES, MANIFEST, VALUES, rendered

PAGE = (REPOSITORY / "docs" / "install.md").read_text()
OVERLAY = PAGE.partition("\n### With Kustomize\n")[2].partition("\n## ")[0]
ROLE = "arn:aws:iam::123456789012:role/pullkeeper"


def objects(text: str) -> list[dict[str, Any]]:
    """Parse a manifest."""
    return [each for each in yaml.safe_load_all(text) if each]


def one(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the only object of a kind."""
    (each,) = (each for each in found if each["kind"] == kind)
    return each


@pytest.fixture(scope="module")
def tools() -> Tools:
    """Give both Helms and kubectl."""
    return find()


@pytest.fixture
def kustomize(tools: Tools) -> Callable[[Path], list[dict[str, Any]]]:
    """Build a folder with kubectl."""

    def build(folder: Path) -> list[dict[str, Any]]:
        done = subprocess.run([tools.kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr
        return objects(done.stdout)

    return build


def test_the_manifest_is_what_the_chart_renders(tools: Tools) -> None:
    """`make manifests` writes it; both Helms render the same."""
    assert MANIFEST.read_text() == rendered(tools.helm4) == rendered(tools.helm3)


def test_a_change_of_the_chart_is_noticed(tools: Tools, tmp_path: Path) -> None:
    """What would be rendered differs from what is committed after any change of a template or a default."""
    chart = tmp_path / "chart"
    subprocess.run(["cp", "-r", CHART, chart], check=True)
    values = chart / "values.yaml"
    values.write_text(values.read_text().replace("memory: 160Mi", "memory: 161Mi"))
    assert rendered(tools.helm4, chart) != MANIFEST.read_text()


def test_the_manifest_is_valid_and_complete(validate: Callable[[Object, str], None]) -> None:
    """From its oldest Kubernetes version to the newest, with nothing of Helm's own and everything in one namespace."""
    found = objects(MANIFEST.read_text())
    assert found[0]["kind"] == "Namespace"
    for each in found:
        for minor in range(int(KUBERNETES.partition(".")[2]), 38):
            validate(each, f"1.{minor}")
        assert each["metadata"].get("namespace", NAMESPACE) == NAMESPACE
    assert not re.search("helm", MANIFEST.read_text().partition("\n---\n")[2], re.IGNORECASE)
    policies = [each for each in found if each["kind"] == "ValidatingAdmissionPolicy"]
    assert len(policies) == len([each for each in found if each["kind"] == "ValidatingAdmissionPolicyBinding"]) > 1


def test_the_manifest_names_the_image_and_settings_that_work() -> None:
    """The image of release.toml in this version, and a settings file that the controller accepts."""
    found = objects(MANIFEST.read_text())
    (container,) = one(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{names.read().image}:{names.version()}"
    settings = parse("settings.yaml", one(found, "ConfigMap")["data"]["settings.yaml"].encode())
    assert settings.lease_namespace == NAMESPACE
    assert VALUES["aws"]["credentials"] == "podIdentity"


def test_the_base_is_the_manifest(kustomize: Callable[[Path], list[dict[str, Any]]]) -> None:
    """Built by kubectl, it has the same objects."""
    built, written = kustomize(MANIFEST.parent), objects(MANIFEST.read_text())
    assert sorted(map(json.dumps, map(_ordered, built))) == sorted(map(json.dumps, map(_ordered, written)))


def test_the_overlay_of_the_page_as_written(kustomize: Callable[[Path], list[dict[str, Any]]], tmp_path: Path) -> None:
    """With the base beside it in place of the URL: another image, the role, and settings of one's own."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```", OVERLAY, re.MULTILINE | re.DOTALL)
    overlay = yaml.safe_load(block)
    assert overlay["resources"] == [f"{names.read().repository}//deploy?ref=vX.Y.Z"]
    subprocess.run(["cp", "-r", MANIFEST.parent, tmp_path / "deploy"], check=True)
    overlay["resources"] = ["../deploy"]
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    settings = one(objects(MANIFEST.read_text()), "ConfigMap")["data"]["settings.yaml"]
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    changed = settings.replace("registries: []", f"registries: [{host}]")
    (tmp_path / "overlay" / "settings.yaml").write_text(changed)
    built = kustomize(tmp_path / "overlay")
    assert one(built, "ServiceAccount")["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": ROLE}
    pod = one(built, "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("registry.example.com/pullkeeper:")
    config = one(built, "ConfigMap")
    assert config["metadata"]["name"] == pod["volumes"][0]["configMap"]["name"]
    assert str(parse("settings.yaml", config["data"]["settings.yaml"].encode()).policy.registries[0]) == host


def _ordered(each: Any) -> Any:
    return json.loads(json.dumps(each, sort_keys=True))
