"""SIGTERM at any moment: the end comes within five seconds, with status 0, and nothing is half done."""

import asyncio

import pytest

from testsupport.installation import IRELAND, Installation, auths
from testsupport.waiting import until

LIMIT = 5.0
"""Seconds from SIGTERM to the end, as promised."""


async def _stop(installation: Installation) -> None:
    async with asyncio.timeout(LIMIT):
        assert await installation.processes[-1].stop() == 0, installation.processes[-1].text()[-2000:]
    assert "Traceback" not in installation.processes[-1].text()


async def test_stops_at_rest(installation: Installation) -> None:
    """A controller that is ready ends on SIGTERM."""
    await installation.start()
    await _stop(installation)


async def test_stops_while_it_starts(installation: Installation) -> None:
    """A controller that has only just begun to listen ends on SIGTERM."""
    process = await installation.start(ready=False)
    await process.first_answer("/healthz")
    await _stop(installation)


async def test_stops_while_aws_hangs(installation: Installation) -> None:
    """A call to AWS that never comes back holds nothing up."""
    await installation.start()
    installation.aws.hang(operation="GetAuthorizationToken")
    await installation.create_namespace(enabled="true")

    async def asked() -> bool:
        return installation.aws.count("GetAuthorizationToken") > 0

    await until(asked, "AWS to be asked")
    await _stop(installation)


@pytest.mark.parametrize("written", [1, 10, 25])
async def test_stops_in_the_middle_of_many_writes(installation: Installation, written: int) -> None:
    """Stopped in the middle, every Secret that is there is whole; the next start writes just the others."""
    teams = [await installation.create_namespace(enabled="true") for _ in range(40)]
    async with installation.recording() as recorder:
        await installation.start(ready=False)

        async def begun() -> bool:
            return len(recorder.versions) >= written

        await until(begun, "the first writes")
        await _stop(installation)
        await installation.start()
        for team in teams:
            version = await recorder.wait(team, lambda version: version.kind == "ADDED")
            assert list(auths(version.secret)) == [IRELAND]
            assert len(recorder.of(team)) == 1
