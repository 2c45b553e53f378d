"""The chart's admission policies on a real API server, without the rest of the release."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import CHART
from testsupport.helm import with_role
from testsupport.helm_tools import find

SERVED = tuple(f"admissionregistration.k8s.io/v1/{kind}AdmissionPolicy" for kind in ("Mutating", "Validating"))


@contextmanager
def applied(plane: ControlPlane, template: str, *many: Mapping[str, Any]) -> Iterator[None]:
    """Apply what one of the chart's templates renders from each of these values, and delete it in the end.

    Beta versions are used as well.
    """
    served = _served(plane)
    beta = {"admission": {"injection": any(kind.endswith("/MutatingAdmissionPolicy") for kind in served)}}
    with applied_objects(plane, [each for values in many for each in rendered(template, {**beta, **values}, served)]):
        yield


@contextmanager
def applied_objects(plane: ControlPlane, objects: Sequence[Any]) -> Iterator[None]:
    """Apply policies, and delete them in the end; the API server takes either into account a moment later."""
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl = (str(find().kubectl), "--kubeconfig", str(plane.write_kubeconfig()))
    if objects:
        _run((*kubectl, "apply", "-f", "-"), document)
    try:
        yield
    finally:
        if objects:
            _run((*kubectl, "delete", "--ignore-not-found", "-f", "-"), document)


def rendered(template: str, values: Mapping[str, Any], served: Sequence[str] = SERVED) -> list[Any]:
    """Render one template of the chart as for an API server that serves all kinds of policies."""
    kinds = [f"--api-versions={kind}" for kind in served]
    command = (str(find().helm4), "template", "policies", str(CHART), "-s", f"templates/{template}", "-f", "-", *kinds)
    return [each for each in yaml.safe_load_all(_run(command, json.dumps(with_role(**values)))) if each]


def _served(plane: ControlPlane) -> list[str]:
    """Return the kinds of policies that an API server serves, each with its version."""
    command = (str(find().kubectl), "--kubeconfig", str(plane.write_kubeconfig()), "api-resources", "--no-headers")
    lines = _run((*command, "--api-group=admissionregistration.k8s.io"), "").splitlines()
    return [f"{version}/{kind}" for version, _namespaced, kind in (line.split()[-3:] for line in lines)]


def _run(command: Sequence[str], given: str) -> str:
    result = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout
