"""The worker when a look fails, when it is told to stop, and over a long time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from pullkeeper.domain.errors.failures import Reason, StaleObservationError
from pullkeeper.reconcile.worker import HEARTBEAT
from tests.unit.reconcile.worker_harness import WorkerHarness, failing, raising, working
from testsupport.virtual_time import now, settle


@pytest.mark.parametrize(
    ("reason", "times"),
    [
        (Reason.KUBERNETES_UNAVAILABLE, [0, 1, 3, 7, 15]),
        (Reason.KUBERNETES_DENIED, [0, 1, 3, 7, 15]),
        (Reason.SECRET_CONFLICT, [0, 28.5, 85.5, 199.5, 427.5]),
    ],
)
async def test_a_failure_backs_off(reason: Reason, times: list[float]) -> None:
    """Each try waits longer than the one before, at people's pace where somebody has to grant something."""
    house = WorkerHarness()
    house.behaviour["a"] = failing(reason)
    async with working(house) as worker:
        worker.wake("a")
        await asyncio.sleep(times[-1] + 0.5)
    assert [at for _, at in house.looks] == pytest.approx(times, abs=0.01)
    assert {result for result, _ in house.results} == {"error"}


async def test_what_has_changed_under_our_hands_is_looked_at_again_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That is nobody's fault: ever less often, and at once when the watch tells what has changed."""
    house = WorkerHarness()
    house.behaviour["a"] = raising(StaleObservationError("namespace/a"))
    async with working(house) as worker:
        worker.wake("a")
        await asyncio.sleep(4)
        worker.wake("a")
        await settle()
    assert [at for _, at in house.looks] == pytest.approx([0, 1, 3, 4], abs=0.01)
    assert caplog.records == []


async def test_a_success_ends_the_back_off() -> None:
    """After it the next failure is tried again soon."""
    house = WorkerHarness()
    house.behaviour["a"] = failing(Reason.KUBERNETES_UNAVAILABLE)
    async with working(house) as worker:
        worker.wake("a")
        await asyncio.sleep(20)
        del house.behaviour["a"]
        worker.wake("a")
        await asyncio.sleep(20)
        house.behaviour["a"] = failing(Reason.KUBERNETES_UNAVAILABLE)
        worker.wake("a")
        await asyncio.sleep(1.5)
    assert [at for _, at in house.looks][-2:] == pytest.approx([40, 41], abs=0.01)


async def test_one_namespaces_surprise_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of any kind is backed off from; its place is logged and its content is not."""
    house = WorkerHarness()
    house.behaviour["a"] = raising(ValueError("hush-hush"))
    async with working(house) as worker:
        worker.wake("a")
        worker.wake("b")
        await asyncio.sleep(2)
    assert house.names().count("a") > 1
    assert ("b", 0) in house.looks
    assert "hush-hush" not in caplog.text
    assert "namespace/a: unexpected ValueError at raising.<locals>.fail:" in caplog.text


async def test_a_failure_is_logged_with_its_words_and_the_next_try(caplog: pytest.LogCaptureFixture) -> None:
    """With all its words, for whoever debugs: the report has told it to everybody else, once."""
    caplog.set_level(logging.DEBUG, "pullkeeper")
    house = WorkerHarness()
    house.behaviour["a"] = failing(Reason.SECRET_CONFLICT)
    async with working(house) as worker:
        worker.wake("a")
        await settle()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "namespace/a: no (SecretConflict); next try at 12:00:28Z"


async def test_stopping_finishes_what_is_under_way_and_begins_nothing() -> None:
    """No write is cut in half; who waits is left to the next process."""
    house = WorkerHarness(concurrency=2)
    ended: list[float] = []

    async def long() -> datetime | None:
        await asyncio.sleep(10)
        ended.append(asyncio.get_running_loop().time())
        return None

    house.behaviour["a"] = long
    run = asyncio.create_task(house.worker.run())
    for name in ("a", "b"):
        house.worker.wake(name)
    await settle()
    house.worker.stop()
    house.worker.wake("c")
    await run
    assert house.names() == ["a"]
    assert ended == [10]


async def test_the_heart_beats_while_there_is_nothing_to_do() -> None:
    """An idle worker can be told from a stuck one."""
    house = WorkerHarness()
    async with working(house):
        await asyncio.sleep(60)
    gaps = {later - earlier for earlier, later in zip(house.beats, house.beats[1:], strict=False)}
    assert len(house.beats) >= 12
    assert max(gaps) <= HEARTBEAT


async def test_outdated_tickets_are_swept() -> None:
    """Waking a few namespaces for ever does not grow the queue for ever, even behind one that waits for long."""
    house = WorkerHarness()

    def after(wait: timedelta) -> Callable[[], Awaitable[datetime | None]]:
        async def look() -> datetime | None:
            return now() + wait

        return look

    house.behaviour |= {"a": after(timedelta(days=1)), "b": after(timedelta(hours=1))}
    async with working(house) as worker:
        worker.wake("b")
        for _ in range(500):
            worker.wake("a")
            await settle()
        assert sum(map(len, worker._tickets.values())) < 100  # noqa: SLF001 -- a leak has no other symptom
        assert house.names().count("a") == 500
        await asyncio.sleep(3601)
    assert house.names()[-1] == "b"
