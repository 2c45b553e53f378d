"""The worker: what it reconciles, when, and how many at once."""

import asyncio
from datetime import datetime, timedelta

from pullkeeper.domain.secret.plan import Priority
from tests.unit.reconcile.worker_harness import WorkerHarness, running
from testsupport.virtual_time import START, now, settle

SECOND = timedelta(seconds=1)


async def test_added_namespace_is_reconciled_at_once() -> None:
    """No time passes between a change and its reconciliation."""
    harness = WorkerHarness()
    async with running(harness) as queue:
        await asyncio.sleep(100)
        queue.add("a")
        await asyncio.sleep(50)
    assert harness.reconciled_at == [("a", 100)]
    assert harness.results == [("success", 1)]


async def test_namespace_is_reconciled_again_when_it_is_requeued() -> None:
    """Each reconciliation returns the time of the next; None is until something changes."""
    harness = WorkerHarness()
    times = [START + 60 * SECOND, START + 200 * SECOND, None]

    async def next_time() -> datetime | None:
        return times.pop(0)

    harness.script["a"] = next_time
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(10_000)
    assert harness.reconciled_at == [("a", 0), ("a", 60), ("a", 200)]


async def test_change_during_a_reconciliation_causes_one_more() -> None:
    """Never two at once; no change is lost, nor put off to the time of the requeue."""
    harness = WorkerHarness()

    async def later() -> datetime | None:
        await asyncio.sleep(1)
        return now() + 1000 * SECOND

    harness.script["a"] = later
    async with running(harness) as queue:
        queue.add("a")
        await asyncio.sleep(0.3)
        queue.add("a")
        await asyncio.sleep(0.3)
        queue.add("a")
        await asyncio.sleep(100)
    assert harness.reconciled_at == [("a", 0), ("a", 1)]


async def test_concurrency_is_bounded() -> None:
    """Rotations leave one slot free; first Secrets take every slot."""
    for without_secret, most in ((False, 3), (True, 4)):
        harness = WorkerHarness(max_concurrent=4)
        names = {f"team-{number}" for number in range(30)}
        harness.without_secret = names if without_secret else set()
        async with running(harness) as queue:
            for name in names:
                queue.add(name)
            await asyncio.sleep(100)
        assert sorted(harness.names()) == sorted(names)
        assert harness.most_at_once == most


async def test_first_secret_waits_for_no_rotation() -> None:
    """The slot that is left free serves it at once, though hundreds wait."""
    harness = WorkerHarness(max_concurrent=2)
    harness.without_secret = {"new"}
    async with running(harness) as queue:
        for number in range(300):
            queue.add(f"r{number}")
        await asyncio.sleep(5.5)
        queue.add("new")
        await settle()
        assert harness.names()[-1] == "new"
        assert harness.worker.depth(Priority.ROTATION) > 200


async def test_free_slot_goes_to_a_first_secret() -> None:
    """When every slot is taken, first Secrets are next."""
    harness = WorkerHarness(max_concurrent=2)
    harness.without_secret = {"f0", "f1", "f2"}
    async with running(harness) as queue:
        for name in ("r0", "r1", "f0", "f1", "f2"):
            queue.add(name)
        await asyncio.sleep(100)
    assert harness.names() == ["f0", "f1", "f2", "r0", "r1"]


async def test_rotation_whose_secret_is_deleted_waits_no_longer() -> None:
    """Its priority is asked again when it is added, and the free slot serves it."""
    harness = WorkerHarness(max_concurrent=2)
    async with running(harness) as queue:
        for name in ("r0", "r1", "r2"):
            queue.add(name)
        await settle()
        harness.without_secret = {"r2"}
        queue.add("r2")
        await settle()
        assert harness.names() == ["r0", "r2"]
