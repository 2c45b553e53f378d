"""Render the chart with Helm 3 and Helm 4 concurrently, and cache the results by values."""

import errno
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
"""A rendered Kubernetes object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """The result of one Helm command."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """The problems, one per line, without the text that Helm adds around them."""
        found = (line.strip() for line in self.errors.splitlines())
        framed = ("Error:", "pullkeeper:", "Use --debug", "values don't meet")
        return [line.removeprefix("- ") for line in found if line and not line.startswith(framed)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """The objects rendered from some values."""

    text: str
    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Object:
        """Return the only object of a kind; raises ValueError unless there is exactly one."""
        (found,) = self.all(kind)
        return found

    @property
    def pod(self) -> Object:
        """The spec of the controller's pods."""
        spec: Object = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        """The controller's container."""
        (found,) = (each for each in self.pod["containers"] if each["name"] == "pullkeeper")
        return dict(found)

    @property
    def settings(self) -> dict[str, Any]:
        """The controller's settings file, parsed, without the key that says how it ends."""
        (found,) = (each for each in self.all("ConfigMap") if each["metadata"]["name"] == RELEASE)
        text = found["data"]["settings.yaml"]
        document = dict(yaml.safe_load(text))
        assert document.pop("endMarker") is True
        assert text.endswith("\n...\n")
        return document


class Helms:
    """Helm 3 and Helm 4."""

    def __init__(self, tools: Tools) -> None:
        self._binaries = {"helm3": tools.helm3, "helm4": tools.helm4}
        self._threads = ThreadPoolExecutor(max_workers=4)
        self._known: dict[tuple[str, ...], Future[Completed]] = {}

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(cancel_futures=True)

    def prepare(self, many: Iterable[Mapping[str, Any]]) -> None:
        """Start to render many values in the background."""
        for values in many:
            for name in self._binaries:
                self._start(name, values)

    def template(self, values: Mapping[str, Any], *, served: Iterable[str] = ()) -> dict[str, Completed]:
        """Render values with both versions, for an API server that serves more kinds; returns their results by name."""
        started = {name: self._start(name, values, served) for name in self._binaries}
        return {name: future.result() for name, future in started.items()}

    def render(self, values: Mapping[str, Any], *, served: Iterable[str] = ()) -> Rendering:
        """Render values with both versions; asserts that both succeed with the same output."""
        results = self.template(values, served=served)
        assert all(result.status == 0 for result in results.values()), results
        text = results["helm3"].output
        assert text == results["helm4"].output, "Helm 3 and Helm 4 render differently"
        return Rendering(text=text, objects=tuple(each for each in yaml.safe_load_all(text) if each))

    def render_folder(self, chart: Path, values: Mapping[str, Any], *, served: Iterable[str] = ()) -> list[Object]:
        """Render another chart as the release x with both versions; asserts that both succeed with the same output."""
        more = tuple(f"--api-versions={kind}" for kind in served)
        arguments = ("template", "x", str(chart), "--values", "-", *more)
        results = [_run(path, arguments, json.dumps(values)) for path in self._binaries.values()]
        assert all(result.status == 0 for result in results), results
        (text,) = {result.output for result in results}
        return [each for each in yaml.safe_load_all(text) if each]

    def on(self, version: str) -> dict[str, Completed]:
        """Render minimal values for a Kubernetes version."""
        arguments = ("template", RELEASE, str(CHART), "--kube-version", version, "--values", "-")
        return {name: _run(path, arguments, json.dumps(with_role())) for name, path in self._binaries.items()}

    def lint(self, values: Path) -> dict[str, Completed]:
        """Lint the chart with a values file."""
        arguments = ("lint", "--strict", str(CHART), "--values", str(values))
        return {name: _run(path, arguments, "") for name, path in self._binaries.items()}

    def notes(self, values: Mapping[str, Any]) -> str:
        """Return the notes; from Helm 4, because Helm 3 needs a cluster even for a dry run."""
        arguments = ("install", RELEASE, str(CHART), "-n", NAMESPACE, "--dry-run=client", "--values", "-")
        result = _run(self._binaries["helm4"], arguments, json.dumps(values))
        assert result.status == 0, result.errors
        return result.output.partition("\nNOTES:\n")[2]

    def _start(self, name: str, values: Mapping[str, Any], served: Iterable[str] = ()) -> Future[Completed]:
        given = json.dumps(values)  # JSON is YAML
        more = tuple(f"--api-versions={kind}" for kind in served)
        arguments = ("template", RELEASE, str(CHART), "-n", NAMESPACE, "--values", "-", *more)
        key = (name, given, *more)
        if key not in self._known:
            self._known[key] = self._threads.submit(_run, self._binaries[name], arguments, given)
        return self._known[key]


def _run(binary: Path, arguments: Sequence[str], given: str, *, retries: int = 2) -> Completed:
    try:
        result = subprocess.run([binary, *arguments], input=given, capture_output=True, text=True, check=False)
    except OSError as error:
        # Seen twice beside busy cores, in whole runs of tests/chart: the kernel did not start Helm, so nothing has run.
        if error.errno != errno.EFAULT or not retries:
            raise
        return _run(binary, arguments, given, retries=retries - 1)
    return Completed(status=result.returncode, output=result.stdout, errors=result.stderr)


def pods(rendering: Rendering) -> Iterator[tuple[str, Object]]:
    """Yield the spec of every pod in a rendering, with the name of its owner."""
    for each in rendering.objects:
        if each["kind"] == "Pod":
            yield f"Pod {each['metadata']['name']}", each["spec"]
        elif "template" in each.get("spec", {}):
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]["spec"]


def with_role(**values: object) -> dict[str, Any]:
    """Return the minimal valid values, updated with `values`."""
    given: dict[str, Any] = {"aws": {"roleArn": ROLE}}
    given.update(values)
    return given


def ci_values(path: Path) -> dict[str, Any]:
    """Read a values file in ci/."""
    return dict(yaml.safe_load(path.read_text()))
