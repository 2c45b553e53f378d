"""A release of the chart, for the tests of it as its users have it."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.conftest import api  # noqa: F401 -- a fixture
from tests.e2e.conftest import aws, installation, program, short_lived  # noqa: F401 -- fixtures
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import Release, released
from testsupport.fake_aws import AwsFake
from testsupport.rest import RestClient


@pytest.fixture(scope="session")
def server(plane: ControlPlane) -> ControlPlane:
    """Serve the real one, whatever --server says."""
    return plane


@pytest.fixture
async def release(
    request: pytest.FixtureRequest,
    plane: ControlPlane,
    api: RestClient,  # noqa: F811 -- a fixture's argument
    aws: AwsFake,  # noqa: F811 -- a fixture's argument
    tmp_path: Path,
) -> AsyncIterator[Release]:
    """Prepare a release in a namespace of its own, where pods have to meet Pod Security restricted.

    The Helm is the one that a test names as the fixture's parameter, else Helm 4.
    """
    suffix = secrets.token_hex(4)
    namespace = f"release-{suffix}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    (await api.post("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})).ok()
    helm, name = getattr(request, "param", "helm4"), f"ecr-pull-{suffix}"
    async with released(plane, api, aws, tmp_path, namespace=namespace, secret_name=name, helm=helm) as prepared:
        yield prepared
