"""Renders the chart as its users do, by both Helms at the same time, each values only once."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testsupport.helm_tools import Tools

REPOSITORY = Path(__file__).parents[1]
CHART = REPOSITORY / "charts" / "pullkeeper"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
ROLE = "arn:aws:iam::123456789012:role/pullkeeper"
RELEASE, NAMESPACE = "pullkeeper", "pullkeeper-system"

Object = Mapping[str, Any]
"""A Kubernetes object as it was rendered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one Helm said."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """What is wrong, line by line, without the frame that Helm puts around it."""
        found = (line.strip() for line in self.errors.splitlines())
        framed = ("Error:", "pullkeeper:", "Use --debug", "values don't meet")
        return [line.removeprefix("- ") for line in found if line and not line.startswith(framed)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """The objects that come of some values."""

    text: str
    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        """Give the objects of one kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Object:
        """Give the only object of its kind."""
        (found,) = self.all(kind)
        return found

    @property
    def pod(self) -> Object:
        """Give the spec of the controller's pods."""
        spec: Object = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        """Give the controller's container."""
        (found,) = self.pod["containers"]
        return dict(found)

    @property
    def settings(self) -> dict[str, Any]:
        """Give the settings file."""
        (found,) = (each for each in self.all("ConfigMap") if each["metadata"]["name"] == RELEASE)
        return dict(yaml.safe_load(found["data"]["settings.yaml"]))


class Helms:
    """Helm 3 and Helm 4, side by side."""

    def __init__(self, tools: Tools) -> None:
        self._binaries = {"helm3": tools.helm3, "helm4": tools.helm4}
        self._threads = ThreadPoolExecutor(max_workers=4)
        self._known: dict[tuple[str, ...], Future[Answer]] = {}

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def prepare(self, many: Iterable[Mapping[str, Any]]) -> None:
        """Begin to render these, without waiting."""
        for values in many:
            for name in self._binaries:
                self._begin(name, values)

    def template(self, values: Mapping[str, Any]) -> dict[str, Answer]:
        """Render these values by both; what they say, by name."""
        begun = {name: self._begin(name, values) for name in self._binaries}
        return {name: future.result() for name, future in begun.items()}

    def render(self, values: Mapping[str, Any]) -> Rendering:
        """Render these values by both, which have to agree."""
        answers = self.template(values)
        assert all(answer.status == 0 for answer in answers.values()), answers
        text = answers["helm3"].output
        assert text == answers["helm4"].output, "Helm 3 and Helm 4 render it differently"
        return Rendering(text=text, objects=tuple(each for each in yaml.safe_load_all(text) if each))

    def on(self, version: str) -> dict[str, Answer]:
        """Render the least values for a Kubernetes version."""
        arguments = ("template", RELEASE, str(CHART), "--kube-version", version, "--values", "-")
        return {name: _run(path, arguments, json.dumps(with_role())) for name, path in self._binaries.items()}

    def lint(self, values: Path) -> dict[str, Answer]:
        """Lint the chart with this values file by both."""
        arguments = ("lint", "--strict", str(CHART), "--values", str(values))
        return {name: _run(path, arguments, "") for name, path in self._binaries.items()}

    def notes(self, values: Mapping[str, Any]) -> str:
        """Give the notes after an installation; Helm 4's, for Helm 3 asks a cluster first."""
        arguments = ("install", RELEASE, str(CHART), "-n", NAMESPACE, "--dry-run=client", "--values", "-")
        answer = _run(self._binaries["helm4"], arguments, json.dumps(values))
        assert answer.status == 0, answer.errors
        return answer.output.partition("\nNOTES:\n")[2]

    def _begin(self, name: str, values: Mapping[str, Any]) -> Future[Answer]:
        given = json.dumps(values)  # JSON is YAML
        arguments = ("template", RELEASE, str(CHART), "-n", NAMESPACE, "--values", "-")
        key = (name, given)
        if key not in self._known:
            self._known[key] = self._threads.submit(_run, self._binaries[name], arguments, given)
        return self._known[key]


def _run(binary: Path, arguments: Iterable[str], given: str) -> Answer:
    result = subprocess.run([binary, *arguments], input=given, capture_output=True, text=True, check=False)
    return Answer(status=result.returncode, output=result.stdout, errors=result.stderr)


def pods(rendering: Rendering) -> Iterator[tuple[str, Object]]:
    """Give the spec of every pod that comes of a rendering, by what it belongs to."""
    for each in rendering.objects:
        if each["kind"] == "Pod":
            yield f"Pod {each['metadata']['name']}", each["spec"]
        elif "template" in each.get("spec", {}):
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]["spec"]


def with_role(**values: object) -> dict[str, Any]:
    """Give the least values that can be installed, and these beside them."""
    given: dict[str, Any] = {"aws": {"roleArn": ROLE}}
    given.update(values)
    return given


def ci_values(path: Path) -> dict[str, Any]:
    """Read one of the values files in ci/."""
    return dict(yaml.safe_load(path.read_text()))
