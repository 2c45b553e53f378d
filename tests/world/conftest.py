"""A controller whose way to the real control plane leads through a proxy that makes disturbance."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import api  # noqa: F401 -- a fixture
from tests.e2e.conftest import aws  # noqa: F401 -- a fixture
from testsupport import fault_proxy
from testsupport.control_plane.plane import ControlPlane
from testsupport.fake_aws import AwsFake
from testsupport.fault_proxy import FaultProxy, Front
from testsupport.installation import Installation, install
from testsupport.rest import RestClient
from testsupport.tls_shapes import Authority, Shape
from testsupport.token_leaks import assert_no_leak


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Everything that a test can make go wrong, and the installation that has to get over it."""

    plane: ControlPlane
    installation: Installation
    front: Front
    folder: Path

    @property
    def proxy(self) -> FaultProxy:
        """The proxy before the API server."""
        return self.front.proxy

    def authority(self, name: str, shape: Shape | None = None) -> Authority:
        """Make a CA."""
        return Authority(self.folder, shape, name=name)

    def trust(self, *authorities: Authority) -> None:
        """Write these CAs where the pod's `ca.crt` would be mounted, as the kubelet does: at once."""
        new = self.folder / "ca.crt.new"
        new.write_bytes(b"".join(each.pem for each in authorities))
        new.replace(self.folder / "ca.crt")


@pytest.fixture(scope="session")
def server(plane: ControlPlane) -> ControlPlane:
    """Serve the real one, whatever --server says."""
    return plane


@pytest.fixture
async def world(plane: ControlPlane, api: RestClient, aws: AwsFake, tmp_path: Path) -> AsyncIterator[World]:  # noqa: F811 -- a fixture's arguments
    """Install the controller behind the proxy; the teardown searches for leaked tokens."""
    installation = await install(plane, api, aws, tmp_path)
    authority = Authority(tmp_path, name="first")
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    async with fault_proxy.before(plane, context=authority.server_context()) as front:
        installation.server = front.proxy
        yield World(plane=plane, installation=installation, front=front, folder=tmp_path)
        await installation.leave()
    await assert_no_leak(installation)
