"""`pullkeeper render`: from a manifest file to the result, without any cluster."""

import argparse
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pullkeeper.app.config_loader import config_from
from pullkeeper.cli import render
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.views.render_result import render_namespace
from testsupport import golden

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = """\
registries: [123456789012.dkr.ecr.eu-west-1.amazonaws.com]
clusterName: prod-1
roles:
  - role: arn:aws:iam::222222222222:role/pull-*
    namespaces: ["blue-*"]
    externalId: 3f1c8a
    sessionTags: true
serviceAccountIdentity:
  namespaces: ["team-*"]
additionalSecrets:
  - name: charts
    shape: argocd-repo-creds
    registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com
    namespaces: [plain]
"""
NAMESPACES = """\
apiVersion: v1
kind: Namespace
metadata:
  name: plain
  annotations:
    pullkeeper.dev/enabled: "true"
---
apiVersion: v1
kind: Namespace
metadata:
  name: blue-1
  resourceVersion: "4711"
  annotations:
    pullkeeper.dev/enabled: "true"
    pullkeeper.dev/registries: 222222222222.dkr.ecr.us-east-1.amazonaws.com, public.ecr.aws
    pullkeeper.dev/role-arn: arn:aws:iam::222222222222:role/pull-blue
---
apiVersion: v1
kind: Namespace
metadata:
  name: team-a
  annotations:
    pullkeeper.dev/enabled: "true"
    pullkeeper.dev/service-account-name: puller
---
apiVersion: v1
kind: Namespace
metadata:
  name: greedy
  annotations:
    pullkeeper.dev/enabled: "true"
    pullkeeper.dev/role-arn: arn:aws:iam::222222222222:role/pull-blue
---
apiVersion: v1
kind: Namespace
metadata:
  name: wrong
  annotations:
    pullkeeper.dev/enabled: "yes"
    pullkeeper.dev/registries: https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/app
    pullkeeper.dev/color: blue
---
apiVersion: v1
kind: Namespace
metadata:
  name: nobody
"""


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def run(folder: Path, text: str, *, filename: str = "", output: str = "text") -> int:
    file = str(put(folder, "namespace.yaml", text))
    config = put(folder, "settings.yaml", SETTINGS)
    return render.main(argparse.Namespace(config=config, installation=None, filename=filename or file, output=output))


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
def test_the_output_for_every_kind_of_namespace_matches_the_golden_file(tmp_path: Path, form: str) -> None:
    """Each identity, and each kind of problem."""
    settings = config_from(put(tmp_path, "settings.yaml", SETTINGS)).settings
    namespaces = render.read_namespaces(str(put(tmp_path, "namespace.yaml", NAMESPACES)))
    results = [render_namespace(namespace, settings, NOW) for namespace in namespaces]
    golden.check(GOLDEN / f"render-{form}.txt", render.format_results(results, form) + "\n")


def test_without_problems_the_exit_status_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether or not a namespace is opted in."""
    first, *_, last = NAMESPACES.split("---\n")
    assert run(tmp_path, first + "---\n" + last) == 0
    assert "namespace/nobody: not opted in" in capsys.readouterr().out


def test_with_problems_the_exit_status_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So a pipeline that checks manifests fails."""
    assert run(tmp_path, NAMESPACES, output="json") == 1
    assert '"ok": false' in capsys.readouterr().out


def test_manifests_are_read_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON as well as YAML, as `kubectl get namespace -o …` prints them."""
    monkeypatch.setattr("sys.stdin", io.StringIO('{"kind": "Namespace", "metadata": {"name": "piped"}}'))
    assert run(tmp_path, "", filename="-") == 0
    assert capsys.readouterr().out.startswith("namespace/piped: not opted in")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["found nothing, expected a Namespace manifest"]),
        ("a: [", ["expected a Namespace manifest"]),
        ("[1]", ["found [1], expected kind: Namespace, with metadata.name"]),
        ("kind: Pod\nmetadata: {name: a}", ['found an object of kind "Pod", expected kind: Namespace']),
        ("kind: Namespace\nmetadata: {}", ['found an object of kind "Namespace", expected kind: Namespace, with']),
        ("kind: Namespace\nmetadata: {name: a, labels: [x]}", ["labels: found ['x'], expected a mapping"]),
        (
            "kind: Namespace\nmetadata: {name: a, annotations: {pullkeeper.dev/enabled: true, n: 1}}",
            [
                'annotations: pullkeeper.dev/enabled: found True, expected a string: "true"',
                'annotations: n: found 1, expected a string: "1"',
            ],
        ),
    ],
)
def test_a_file_with_something_else_is_rejected(tmp_path: Path, text: str, problems: list[str]) -> None:
    """With every problem at once, each with the file's name."""
    file = put(tmp_path, "namespace.yaml", text)
    with pytest.raises(InvalidInputError) as raised:
        render.read_namespaces(str(file))
    for problem, words in zip(raised.value.problems, problems, strict=True):
        assert str(problem).startswith(f"-f {file}: ")
        assert words in str(problem)


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    """With the system's error message."""
    with pytest.raises(InvalidInputError, match="No such file"):
        render.read_namespaces(str(tmp_path / "absent.yaml"))
