"""SIGTERM at any moment: the process ends with status 0, half-done work is finished and no new work begins."""

import pytest

from pullkeeper.domain.errors.failures import Reason
from testsupport.installation import IRELAND, Installation, auths
from testsupport.request_log import since, writes_of
from testsupport.waiting import until

pytestmark = pytest.mark.slow

AT_ONCE = 2
"""Concurrent reconciles: so few that writes which begin after SIGTERM would show in the count."""


async def _stop(installation: Installation) -> None:
    process = installation.processes[-1]
    assert await process.stop() == 0, process.text()[-2000:]
    assert "Traceback" not in process.text()


async def test_stops_when_idle(installation: Installation) -> None:
    """A controller that is ready ends on SIGTERM."""
    await installation.start()
    await _stop(installation)


async def test_stops_while_it_starts(installation: Installation) -> None:
    """A controller that has only just begun to listen ends on SIGTERM."""
    process = await installation.start(ready=False)
    await process.first_answer("/healthz")
    await _stop(installation)


async def test_stops_before_a_call_to_aws_that_hangs_is_given_up(installation: Installation) -> None:
    """The process ends while AWS still keeps it waiting: the failure of that call is never reported."""
    process = await installation.start()
    installation.aws.hang(operation="GetAuthorizationToken")
    team = await installation.create_namespace(enabled="true")

    async def called() -> bool:
        return installation.aws.count("GetAuthorizationToken") > 0

    await until(called, "AWS to be called")
    await _stop(installation)
    assert Reason.NETWORK_UNREACHABLE not in process.text()
    assert await installation.events(team) == []


@pytest.mark.parametrize("written", [1, 10, 25])
async def test_stops_in_the_middle_of_many_writes(installation: Installation, written: int) -> None:
    """Writes under way are finished, none begins after them, every Secret is whole, and the next start goes on."""
    teams = [await installation.create_namespace(enabled="true") for _ in range(40)]
    async with installation.recording() as recorder:
        stopping = await installation.start(
            {"maxConcurrentReconciles": AT_ONCE}, ready=False, instance=installation.namespace
        )

        async def begun() -> bool:
            return len(recorder.versions) >= written

        await until(begun, "the first writes")
        await _stop(installation)
        assert stopping.terminated_at is not None
        late = since(writes_of(installation.server, installation.namespace), stopping.terminated_at)
        # Those under way, and as many more that were due before the process took notice of the signal.
        assert len(late) <= 2 * AT_ONCE
        await installation.start()
        for team in teams:
            version = await recorder.created(team)
            assert list(auths(version.secret)) == [IRELAND]
            assert len(recorder.of(team)) == 1
