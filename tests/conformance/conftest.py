"""The server under contract, and what most tests need on it: a namespace, a name, a user with few rights."""

import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import pytest

from testsupport import objects
from testsupport.access import create_user, rule
from testsupport.control_plane.plane import ControlPlane
from testsupport.fake_kube import ApiServer, serve_in_thread
from testsupport.rest import RestClient

Server = ControlPlane | ApiServer


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve what --server names, once for all tests: each keeps to names of its own."""
    if request.config.getoption("--server") == "real":
        yield request.getfixturevalue("plane")
        return
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def compact(server: Server) -> Callable[[], None]:
    """Give what makes the server forget the past: what asks for it is 410 Expired from then on."""
    return server.compact if isinstance(server, ControlPlane) else server.state.compact


@pytest.fixture
async def api(server: Server) -> AsyncIterator[RestClient]:
    """Give the administrator's client."""
    tls = ssl.create_default_context(cafile=server.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        yield RestClient(http=http, url=server.url, token=server.admin_token)


@pytest.fixture
def name() -> str:
    """Give a name that no other test uses, so that cluster-wide lists by name see this test alone."""
    return f"ecr-{secrets.token_hex(4)}"


@pytest.fixture
async def namespace(api: RestClient) -> str:
    """Create a namespace of the test's own; it goes with the server."""
    return await objects.create_namespace(api)


@pytest.fixture
async def controller(api: RestClient, namespace: str, name: str) -> RestClient:
    """Give the client of a ServiceAccount that may do all with Secrets of one name, and nothing else."""
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    return await create_user(api, namespace, rule("secrets", *verbs, name=name))
