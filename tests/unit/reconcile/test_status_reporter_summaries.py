"""What happens to many namespaces is logged in few lines."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.secret.plan import Cause
from tests.unit.reconcile.reporter_harness import ReporterHarness
from tests.unit.reconcile.test_status_reporter import DENIED, SECRET
from testsupport.background import in_background
from testsupport.examples import EU, managed, published

MINUTE = 60.0


@asynccontextmanager
async def running() -> AsyncIterator[ReporterHarness]:
    """Run a reporter, and stop it as the process does."""
    harness = ReporterHarness()
    async with in_background(harness.reporter.run()):
        yield harness


async def rotate(harness: ReporterHarness, name: str, seconds: float) -> None:
    """Report a rotation whose write takes this long."""
    with harness.reporter.observe_write(Cause.ROTATED, name):
        await asyncio.sleep(seconds)
    harness.report_write(name, Cause.ROTATED, managed(published(EU)))


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pullkeeper")


async def test_rotation_of_a_thousand_namespaces_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """How many, how long, which was the slowest, and how many failed; five minutes after the last of them."""
    async with running() as harness:
        for number in range(999):
            await rotate(harness, f"team-{number}", 0.6)
        await rotate(harness, "slow", 2.5)
        for name in ("b", "c", "b"):
            harness.report(name, SECRET, DENIED)
        await asyncio.sleep(5 * MINUTE - 1)
        assert not [line for line in caplog.messages if "rotated" in line]
        await asyncio.sleep(2)
        (line,) = [line for line in caplog.messages if "rotated" in line]
    assert line == (
        "rotated 1,000 pull Secrets within 0:10:01; the slowest write took 2.50 s (namespace/slow); "
        "2 could not be renewed"
    )
    record = next(record for record in caplog.records if record.getMessage() == line)
    found = {key: getattr(record, key) for key in ("rotated", "slowest_seconds", "slowest_namespace", "failed")}
    assert found == {"rotated": 1000, "slowest_seconds": 2.5, "slowest_namespace": "slow", "failed": 2}


async def test_each_rotation_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """What failed in one is not counted in the next."""
    async with running() as harness:
        harness.report("b", SECRET, DENIED)
        for _ in range(2):
            await rotate(harness, "a", 0.1)
            await asyncio.sleep(6 * 60 * MINUTE)
    words = "rotated 1 pull Secret within 0:00:00; the slowest write took 0.10 s (namespace/a); {} could not be renewed"
    assert [line for line in caplog.messages if "rotated" in line] == [words.format(1), words.format("none")]


async def test_rotations_without_end_are_logged_each_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Where they never pause, as with very short tokens, there is a line all the same."""
    async with running() as harness:
        for _ in range(3 * 60 - 1):
            await rotate(harness, "a", 1)
            await asyncio.sleep(MINUTE - 1)
        assert len(caplog.messages) == 2


async def test_what_is_not_logged_yet_is_logged_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A process that stops loses no summary."""
    async with running() as harness:
        await rotate(harness, "a", 1)
        assert caplog.messages == []
    assert len(caplog.messages) == 1


async def test_same_failure_of_many_is_logged_for_ten_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is no thousand lines, nor is its end."""
    async with running() as harness:
        for failures in ((DENIED,), ()):
            for number in range(1000):
                harness.report(f"team-{number}", SECRET, *failures)
            await asyncio.sleep(6 * MINUTE)
    assert len(caplog.messages) == 22
    assert caplog.messages[9] == "namespace/team-9: allow it (AccessDenied)"
    assert caplog.messages[10] == "the same in 990 more namespaces: allow it (AccessDenied)"
    assert caplog.messages[-1] == "the same in 990 more namespaces: all is well again"


async def test_failure_of_one_namespace_is_always_logged_in_full(caplog: pytest.LogCaptureFixture) -> None:
    """Its message names the namespace, so it is no other one's."""
    async with running() as harness:
        for number in range(50):
            message = f"namespace/team-{number}: mend it"
            harness.report(f"team-{number}", None, Failure(reason=Reason.INVALID_ANNOTATION, message=message))
    assert len(caplog.messages) == 50
