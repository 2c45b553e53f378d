"""End to end: the real process against the fakes, or against a real API server with --server=real."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from testsupport import fake_aws
from testsupport.fake_aws import AwsFake
from testsupport.installation import PROGRAM, SHORT_LIFE, Installation, Server, install
from testsupport.rest import RestClient
from testsupport.token_leaks import assert_no_leak


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsFake]:
    """Serve the AWS fake, one for each test, with its CA where the controller's pod finds it."""
    with fake_aws.serve_in_thread(folder=tmp_path) as fake:
        yield fake


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Sequence[str]:
    """Return the command of the controller that --controller names."""
    if request.config.getoption("--controller") == "source":
        return PROGRAM
    command: Sequence[str] = request.getfixturevalue("image").command(tmp_path)
    return command


@pytest.fixture
async def installation(
    server: Server,  # noqa: F811 -- a fixture's argument
    api: RestClient,  # noqa: F811 -- a fixture's argument
    aws: AwsFake,
    program: Sequence[str],
    tmp_path: Path,
) -> AsyncIterator[Installation]:
    """Install the controller; the teardown searches for leaked tokens."""
    installation = await install(server, api, aws, tmp_path)
    installation.program = program
    yield installation
    await installation.leave()
    await assert_no_leak(installation)


@pytest.fixture
def short_lived(aws: AwsFake) -> None:
    """Let every token live for SHORT_LIFE."""
    aws.lifetime = SHORT_LIFE
