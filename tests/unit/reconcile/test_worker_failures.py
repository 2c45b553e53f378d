"""The worker when a reconciliation fails, is cancelled, or has nothing to do for long."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from pullkeeper.domain.errors.backoff import LONGEST_RETRY
from pullkeeper.domain.errors.failures import Failure, FailureError, NamespaceGoneError, Reason, StaleObservationError
from pullkeeper.reconcile.namespace_records import NamespaceRecord
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.worker import HEARTBEAT
from tests.unit.reconcile.worker_harness import WorkerHarness, failing, raising, running
from testsupport.virtual_time import START, settle


class Later:
    """A second reconciler: it requeues only the first time, and has the same error each time."""

    def __init__(self, *, requeue_at: datetime | None = None, error: StaleObservationError | None = None) -> None:
        self.reconciled: list[str] = []
        self._requeue_at = requeue_at
        self._error = error

    async def reconcile(self, name: str) -> Result:
        self.reconciled.append(name)
        requeue_at, self._requeue_at = self._requeue_at, None
        return Result(requeue_at=requeue_at, error=self._error)


def _at(second: int | None) -> datetime | None:
    return None if second is None else START + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("reason", "times"),
    [
        (Reason.KUBERNETES_UNAVAILABLE, [0, 1, 3, 7, 15]),
        (Reason.KUBERNETES_DENIED, [0, 1, 3, 7, 15]),
        (Reason.SECRET_CONFLICT, [0, 28.5, 85.5, 199.5, 427.5]),
    ],
)
async def test_failure_backs_off(reason: Reason, times: list[float]) -> None:
    """Each retry waits longer than the one before, at people's pace where somebody has to act."""
    harness = WorkerHarness()
    harness.script["a"] = failing(reason)
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(times[-1] + 0.5)
    assert [at for _, at in harness.reconciled_at] == pytest.approx(times, abs=0.01)
    assert {result for result, _ in harness.results} == {"error"}


async def test_what_an_error_has_not_stopped_is_due_when_it_was() -> None:
    """What failed has a longer backoff, and is only tried again with the rest."""
    harness = WorkerHarness()
    failure = Failure(reason=Reason.SECRET_CONFLICT, message="no")

    async def due_soon() -> Result:
        return Result(failures=(failure,), error=FailureError(failure), requeue_at=_at(5 * len(harness.reconciled_at)))

    harness.script["a"] = due_soon
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(11)
    assert [at for _, at in harness.reconciled_at] == pytest.approx([0, 5, 10], abs=0.01)


async def test_stale_observation_backs_off_without_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """It is nobody's fault: retried ever less often, and at once when the watch brings what has changed."""
    harness = WorkerHarness()
    harness.script["a"] = raising(StaleObservationError("namespace/a"))
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(4)
        queue.add("a")
        await settle()
    assert [at for _, at in harness.reconciled_at] == pytest.approx([0, 1, 3, 4], abs=0.01)
    assert caplog.records == []


async def test_success_resets_the_backoff() -> None:
    """The next failure after it is retried soon."""
    harness = WorkerHarness()
    harness.script["a"] = failing(Reason.KUBERNETES_UNAVAILABLE)
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(20)
        del harness.script["a"]
        queue.add("a")
        await asyncio.sleep(20)
        harness.script["a"] = failing(Reason.KUBERNETES_UNAVAILABLE)
        queue.add("a")
        await asyncio.sleep(1.5)
    assert [at for _, at in harness.reconciled_at][-2:] == pytest.approx([40, 41], abs=0.01)


async def test_unexpected_error_stops_no_other_namespace(caplog: pytest.LogCaptureFixture) -> None:
    """It backs off; its place in the code is logged, its text is not."""
    harness = WorkerHarness()
    harness.script["a"] = raising(ValueError("hush-hush"))
    async with running(harness) as queue:
        queue.add("a")
        queue.add("b")
        await asyncio.sleep(2)
    assert harness.names().count("a") > 1
    assert ("b", 0) in harness.reconciled_at
    assert "hush-hush" not in caplog.text
    assert "namespace/a: unexpected ValueError at raising.<locals>.fail:" in caplog.text


async def test_failure_is_logged_at_debug_with_the_next_try(caplog: pytest.LogCaptureFixture) -> None:
    """At each retry, for whoever debugs: everybody else has been told once."""
    caplog.set_level(logging.DEBUG, "pullkeeper")
    harness = WorkerHarness()
    harness.script["a"] = failing(Reason.SECRET_CONFLICT)
    async with running(harness) as queue:
        queue.add("a")
        await settle()
    reported, record = caplog.records
    assert (reported.levelno, reported.getMessage()) == (logging.WARNING, "namespace/a: no (SecretConflict)")
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "namespace/a: no (SecretConflict); next try at 12:00:28Z"


async def test_failure_of_the_secret_holds_up_no_service_account() -> None:
    """A Secret that cannot be written may be there all the same; what failed is retried, and reported each time."""
    later = Later()
    harness = WorkerHarness(later)
    harness.script["a"] = failing(Reason.KUBERNETES_UNAVAILABLE)
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(0.5)
        assert (harness.names(), later.reconciled) == (["a"], ["a"])
        assert [result for result, _ in harness.results] == ["error"]
        del harness.script["a"]
        await asyncio.sleep(2)
    assert (harness.names(), later.reconciled) == (["a", "a"], ["a", "a"])
    assert [state for _, state, _ in harness.reports.states] == ["pending", "pending"]


async def test_change_meanwhile_stops_the_reconcilers_after_it() -> None:
    """They would act on what was observed before the change."""
    first, second = Later(error=StaleObservationError("a")), Later()
    harness = WorkerHarness(first, second)
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(0.5)
    assert (first.reconciled, second.reconciled) == (["a"], [])


async def test_results_before_an_error_are_reported() -> None:
    """A namespace whose ServiceAccounts have changed meanwhile is reported all the same."""
    harness = WorkerHarness(Later(error=StaleObservationError("a")))
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(1.5)
    assert harness.reports.states == [("a", "pending", None)]
    assert harness.results == [("error", 1)]


@pytest.mark.parametrize(("first", "second", "at"), [(5, None, 5), (None, 5, 5), (9, 5, 5), (5, 9, 5)])
async def test_requeue_is_the_earliest_of_all(first: int | None, second: int | None, at: float) -> None:
    """The rotation and the missing ServiceAccount do not wait for each other."""
    harness = WorkerHarness(Later(requeue_at=_at(second)))

    async def once() -> datetime | None:
        return _at(first) if len(harness.reconciled_at) == 1 else None

    harness.script["a"] = once
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(8)
    assert [moment for _, moment in harness.reconciled_at][:2] == [0, at]


async def test_namespace_that_takes_no_secret_any_more_is_retried_at_leisure() -> None:
    """The watch brings its end; nothing is reported, and no later reconciler runs."""
    later = Later()
    harness = WorkerHarness(later)
    harness.script["a"] = raising(NamespaceGoneError("a"))
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(LONGEST_RETRY.total_seconds() + 1)
    assert [at for _, at in harness.reconciled_at] == [0, LONGEST_RETRY.total_seconds()]
    assert (later.reconciled, harness.reports.states) == ([], [])
    assert {result for result, _ in harness.results} == {"success"}


async def test_record_ends_with_the_status() -> None:
    """Of a namespace that requests nothing, nothing is remembered."""
    harness = WorkerHarness()
    harness.script["a"] = failing(Reason.SECRET_CONFLICT)
    async with running(harness) as queue:
        queue.add("a")
        await settle()
        assert harness.records.get("a").failed_attempts == 1
        assert len(harness.records.get("a").reported_failures) == 1

        async def nothing() -> Result:
            return Result()

        harness.script["a"] = nothing
        queue.add("a")
        await settle()
    assert harness.records.get("a") == NamespaceRecord(uid="a", first_requested_at=START)


async def test_shutdown_finishes_what_is_processed_and_starts_nothing() -> None:
    """No write is cut in half; what waits is left to the next process."""
    harness = WorkerHarness(max_concurrent=2)
    ended: list[float] = []

    async def long() -> datetime | None:
        await asyncio.sleep(10)
        ended.append(asyncio.get_running_loop().time())
        return None

    harness.script["a"] = long
    run = asyncio.create_task(harness.worker.run())
    for name in ("a", "b"):
        harness.queue.add(name)
    await settle()
    harness.queue.shut_down()
    harness.queue.add("c")
    await run
    assert harness.names() == ["a"]
    assert ended == [10]


@pytest.mark.parametrize("ticks", range(6))
async def test_cancelled_worker_leaves_every_namespace_to_the_next_run(ticks: int) -> None:
    """A leader that loses the Lease cancels it, be it just before a task's first step, and may lead again."""
    harness = WorkerHarness()
    harness.queue.add("a")
    run = asyncio.create_task(harness.worker.run())
    for _ in range(ticks):
        await asyncio.sleep(0)
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run
    harness.reconciled_at.clear()
    async with running(harness) as queue:
        queue.add("a")
        await settle()
    assert harness.names() == ["a"]


async def test_heartbeat_goes_on_while_there_is_nothing_to_do() -> None:
    """An idle worker can be told from a stuck one."""
    harness = WorkerHarness()
    async with running(harness):
        await asyncio.sleep(60)
    gaps = {later - earlier for earlier, later in zip(harness.heartbeats, harness.heartbeats[1:], strict=False)}
    assert len(harness.heartbeats) >= 12
    assert max(gaps) <= HEARTBEAT
