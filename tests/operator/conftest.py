"""The operator tier: the real process against HTTP fakes, or against a real API server with --server=real."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.conftest import api, server  # noqa: F401 -- fixtures
from tests.contract.rest import Rest
from tests.fakes import aws as fake_aws
from tests.fakes.aws import AwsFake
from tests.operator.installation import Installation, Server, install
from tests.operator.leaks import search


@pytest.fixture
def aws() -> Iterator[AwsFake]:
    """Serve an AWS of the test's own."""
    with fake_aws.serve_in_thread() as fake:
        yield fake


@pytest.fixture
async def installation(server: Server, api: Rest, aws: AwsFake, tmp_path: Path) -> AsyncIterator[Installation]:  # noqa: F811 -- a fixture's argument
    """Install the controller; whatever the test did, its end searches for tokens where none may be."""
    installation = await install(server, api, aws, tmp_path)
    yield installation
    await installation.leave()
    await search(installation)


@pytest.fixture
def short_lived(aws: AwsFake) -> None:
    """Let every token live for 20 seconds."""
    aws.lifetime = timedelta(seconds=20)
