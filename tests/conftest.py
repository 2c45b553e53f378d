"""Options for the API server and the controller under test."""

from collections.abc import Iterator

import pytest

from testsupport.control_plane.plane import ControlPlane, start
from testsupport.image import built


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=("memory", "real"),
        default="memory",
        help="the API server of tests/conformance and tests/e2e: the fake in memory, or a real kube-apiserver",
    )
    parser.addoption(
        "--controller",
        choices=("source", "image"),
        default="source",
        help="the controller of tests/e2e: this source, or the image built from it",
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
