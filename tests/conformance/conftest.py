"""The server under test, and what most tests need: a namespace, a name, a user with few rights."""

import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

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
    """Serve what --server names, once for all tests, which use names of their own."""
    if request.config.getoption("--server") == "real":
        yield request.getfixturevalue("plane")
        return
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def compact(server: Server) -> Callable[[], None]:
    """Return a function that compacts the history: older versions are 410 Expired afterwards."""
    return server.compact if isinstance(server, ControlPlane) else server.state.compact


@pytest.fixture
async def api(server: Server) -> AsyncIterator[RestClient]:
    """Return the administrator's client."""
    tls = ssl.create_default_context(cafile=server.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        yield RestClient(http=http, url=server.url, token=server.admin_token)


@pytest.fixture
def name() -> str:
    """Return a name that no other test uses, so that cluster-wide lists by name see only this test."""
    return f"ecr-{secrets.token_hex(4)}"


@pytest.fixture
async def namespace(api: RestClient) -> str:
    """Create a namespace of the test's own; it goes with the server."""
    return await objects.create_namespace(api)


@pytest.fixture
async def controller(api: RestClient, namespace: str, name: str) -> RestClient:
    """Return the client of a ServiceAccount that may do everything with Secrets of one name, and nothing else."""
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    return await create_user(api, namespace, rule("secrets", *verbs, name=name))


@pytest.fixture
def path(namespace: str, name: str) -> str:
    """Return the path of the pull Secret."""
    return f"{objects.secrets_in(namespace)}/{name}"


@pytest.fixture
async def created(api: RestClient, path: str, name: str) -> dict[str, Any]:
    """Apply the pull Secret and return it as answered."""
    body: dict[str, Any] = (await api.apply(path, objects.pull_secret(name))).ok()
    return body
