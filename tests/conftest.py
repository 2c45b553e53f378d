"""Which API server the contract is held against, and the one real control plane of a run."""

from collections.abc import Iterator

import pytest

from tests.cluster.plane import ControlPlane, start


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=("memory", "real"),
        default="memory",
        help="the API server for tests/contract: ours in memory, or the real kube-apiserver",
    )


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """Start a real control plane, once; a test that stops its API server starts it again."""
    with start() as running:
        yield running
