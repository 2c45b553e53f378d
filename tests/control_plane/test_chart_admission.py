"""The chart's pods before the API server's own Pod Security admission, and our table of its controls beside it."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from testsupport import pod_security_mutants
from testsupport.control_plane.plane import ControlPlane
from testsupport.helm import CI_VALUES, Helms, ci_values, pods, with_role
from testsupport.helm_tools import find
from testsupport.rest import Answer, RestClient

ENFORCED = "chart-admission"
INVALID = {"HostProcess", "Privileged Containers", "/proc Mount Type"}
"""What cannot be had beside the rest of the pod: refused as invalid, before Pod Security is asked."""


@pytest.fixture(scope="module")
def helms() -> Iterator[Helms]:
    """Provide both Helm versions."""
    both = Helms(find())
    yield both
    both.close()


@pytest.fixture
async def restricted(api: RestClient, plane: ControlPlane) -> RestClient:  # noqa: F811, ARG001 -- a fixture; on the real server
    """Give the administrator's client, and a namespace in which restricted is enforced."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await api.post("/api/v1/namespaces", {"metadata": {"name": ENFORCED, "labels": labels}})
    await api.post(f"/api/v1/namespaces/{ENFORCED}/serviceaccounts", {"metadata": {"name": "any"}})
    # What some of the values name, and the API server looks for.
    await api.post("/apis/node.k8s.io/v1/runtimeclasses", {"metadata": {"name": "gvisor"}, "handler": "runsc"})
    return api


async def _ask(restricted: RestClient, spec: Any) -> Answer:
    pod = {"metadata": {"name": "asked"}, "spec": {**spec, "serviceAccountName": "any", "priorityClassName": ""}}
    return await restricted.post(f"/api/v1/namespaces/{ENFORCED}/pods", pod, dryRun="All")


@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
async def test_restricted_admits_every_pod_of_the_chart(helms: Helms, restricted: RestClient, path: Path) -> None:
    """Where the namespace enforces restricted, the pods of Deployment, test and cleanup are admitted."""
    for name, spec in pods(helms.render(ci_values(path))):
        answer = await _ask(restricted, spec)
        assert answer.status == 201, (name, answer.body)


@pytest.mark.parametrize(("control", "part", "value"), pod_security_mutants.MUTANTS)
async def test_restricted_refuses_what_our_table_refuses(
    helms: Helms,
    restricted: RestClient,
    control: str,
    part: str,
    value: Any,
) -> None:
    """The API server agrees with testsupport/pod_security.py on every mutant of it."""
    spec = copy.deepcopy(dict(helms.render(with_role()).pod))
    pod_security_mutants.change(spec, part, value)
    answer = await _ask(restricted, spec)
    if control in INVALID:
        assert answer.verdict == (422, "Invalid"), answer.body
    else:
        assert answer.verdict == (403, "Forbidden"), answer.body
        assert 'violates PodSecurity "restricted:latest"' in answer.message
