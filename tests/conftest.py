"""Options for the API server and the controller under test."""

from collections.abc import Iterator

import pytest

from testsupport.control_plane.assets import OLDER
from testsupport.control_plane.plane import ControlPlane, start, start_older
from testsupport.image import built

PINNED = "pinned"


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
    parser.addoption(
        "--kubernetes",
        choices=(PINNED, *OLDER),
        default=PINNED,
        help="the real API server's version: the pinned one, or an older one with all the admission policies it has",
    )

    parser.addoption("--examples", type=int, default=10_000, help="how many inputs tests/fuzz tries in all")
    parser.addoption("--fuzz-seed", type=int, help="the seed of an earlier run of tests/fuzz; by default a new one")
    parser.addoption("--model-seed", help="the seed of an earlier run of tests/model; by default a new one")
    parser.addoption("--model-samples", type=int, default=3_000, help="how many runs of the model tests/model explores")


@pytest.fixture(scope="session")
def image() -> Iterator[built.Image]:
    """Build the image, once, on BASE or on a stand-in for its base."""
    with built.opened() as opened:
        yield opened


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """Start a real control plane, once; a test that stops its API server starts it again."""
    version = request.config.getoption("--kubernetes")
    with start() if version == PINNED else start_older(version) as running:
        yield running
