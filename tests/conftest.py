"""Which API server the tests run against, and which controller they run: its source, or its image."""

from collections.abc import Iterator

import pytest

from testsupport.control_plane.plane import ControlPlane, start
from testsupport.image import built


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=("memory", "real"),
        default="memory",
        help="the API server for tests/contract: ours in memory, or the real kube-apiserver",
    )
    parser.addoption(
        "--controller",
        choices=("source", "image"),
        default="source",
        help="the controller that tests/operator starts: this source, or the image that is built of it",
    )


@pytest.fixture(scope="session")
def image() -> Iterator[built.Image]:
    """Build the image, once, on BASE or on a stand-in for its base."""
    with built.opened() as opened:
        yield opened


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """Start a real control plane, once; a test that stops its API server starts it again."""
    with start() as running:
        yield running
