"""What happens to many is told in few lines."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.reconcile.status_reporter import StatusReporter
from tests.unit.reconcile.test_status_reporter import DENIED, SECRET, Ledger
from testsupport.examples import EU, managed, published
from testsupport.virtual_time import now

MINUTE = 60.0


@asynccontextmanager
async def running() -> AsyncIterator[StatusReporter]:
    """Run a report, and stop it as the process does."""
    ledger = Ledger()
    report = StatusReporter(ledger, ledger, clock=now)
    task = asyncio.create_task(report.run())
    try:
        yield report
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def rotate(report: StatusReporter, name: str, seconds: float) -> None:
    """Let the write of a rotation take so long."""
    with report.writing(Cause.ROTATED, name):
        await asyncio.sleep(seconds)
    report.wrote(name, Cause.ROTATED, managed(published(EU)), None)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "pullkeeper")
    return lambda: caplog.messages


async def test_a_rotation_of_a_thousand_namespaces_is_one_line(
    lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """How many, how long, which was the slowest, and how many failed; five minutes after the last of them."""
    async with running() as report:
        for number in range(999):
            await rotate(report, f"team-{number}", 0.6)
        await rotate(report, "slow", 2.5)
        for name in ("b", "c"):
            report.stands(name, SECRET, (DENIED,))
        await asyncio.sleep(5 * MINUTE - 1)
        assert not [line for line in lines() if "rotated" in line]
        await asyncio.sleep(2)
        (line,) = [line for line in lines() if "rotated" in line]
    assert line == (
        "rotated 1,000 pull Secrets within 0:10:01; the slowest write took 2.50 s (namespace/slow); "
        "2 could not be renewed"
    )
    record = next(record for record in caplog.records if record.getMessage() == line)
    found = {key: getattr(record, key) for key in ("rotated", "slowest_seconds", "slowest_namespace", "failed")}
    assert found == {"rotated": 1000, "slowest_seconds": 2.5, "slowest_namespace": "slow", "failed": 2}


async def test_each_rotation_has_its_line(lines: Callable[[], list[str]]) -> None:
    """What failed in one is not counted in the next."""
    async with running() as report:
        report.stands("b", SECRET, (DENIED,))
        for _ in range(2):
            await rotate(report, "a", 0.1)
            await asyncio.sleep(6 * 60 * MINUTE)
    words = "rotated 1 pull Secret within 0:00:00; the slowest write took 0.10 s (namespace/a); {} could not be renewed"
    assert [line for line in lines() if "rotated" in line] == [words.format(1), words.format("none")]


async def test_rotations_without_end_are_told_each_hour(lines: Callable[[], list[str]]) -> None:
    """Where they never pause, as with very short tokens, there is a line all the same."""
    async with running() as report:
        for _ in range(3 * 60 - 1):
            await rotate(report, "a", 1)
            await asyncio.sleep(MINUTE - 1)
        assert len(lines()) == 2


async def test_what_is_not_told_yet_is_told_at_the_end(lines: Callable[[], list[str]]) -> None:
    """A process that stops takes nothing with it."""
    async with running() as report:
        await rotate(report, "a", 1)
        assert lines() == []
    assert len(lines()) == 1


async def test_the_same_trouble_of_many_is_told_of_ten_and_then_counted(lines: Callable[[], list[str]]) -> None:
    """An outage is no thousand lines, nor is its end."""
    async with running() as report:
        for failures in ((DENIED,), ()):
            for number in range(1000):
                report.stands(f"team-{number}", SECRET, failures)
            await asyncio.sleep(6 * MINUTE)
    assert len(lines()) == 22
    assert lines()[9] == "namespace/team-9: allow it (AccessDenied)"
    assert lines()[10] == "the same in 990 more namespaces: allow it (AccessDenied)"
    assert lines()[-1] == "the same in 990 more namespaces: all is well again"


async def test_trouble_of_ones_own_is_always_told_in_full(lines: Callable[[], list[str]]) -> None:
    """Its message names the namespace, so it is nobody else's."""
    async with running() as report:
        for number in range(50):
            message = f"namespace/team-{number}: mend it"
            report.stands(f"team-{number}", None, (Failure(reason=Reason.INVALID_ANNOTATION, message=message),))
    assert len(lines()) == 50
