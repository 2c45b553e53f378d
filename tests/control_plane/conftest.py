"""A release of the chart, for the tests of it as its users have it."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.conformance.conftest import api  # noqa: F401 -- a fixture
from tests.e2e.conftest import aws, installation, program, short_lived  # noqa: F401 -- fixtures
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import Release, released
from testsupport.fake_aws import AwsFake
from testsupport.installation import opt_everybody_out
from testsupport.rest import RestClient


@pytest.fixture(scope="session")
def server(plane: ControlPlane) -> ControlPlane:
    """Serve the real one, whatever --server says."""
    return plane


@pytest.fixture(scope="module", autouse=True)
def nobody_stays_opted_in(plane: ControlPlane) -> Iterator[None]:
    """Opt out whoever a module's tests leave: every controller of other tests on this plane would serve them."""
    yield
    asyncio.run(_opt_everybody_out(plane))


async def _opt_everybody_out(plane: ControlPlane) -> None:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=plane.ca_file))
    async with aiohttp.ClientSession(connector=connector) as http:
        await opt_everybody_out(RestClient(http=http, url=plane.url, token=plane.admin_token))


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
