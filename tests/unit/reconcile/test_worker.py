"""The worker: whom it looks at, when, and how many at once."""

import asyncio
from datetime import datetime, timedelta

from pullkeeper.domain.secret.plan import Priority
from tests.unit.reconcile.worker_harness import WorkerHarness, working
from testsupport.virtual_time import START, now, settle

SECOND = timedelta(seconds=1)


async def test_a_namespace_that_is_woken_is_looked_at_now() -> None:
    """No time passes between a change and the look at it."""
    house = WorkerHarness()
    async with working(house) as worker:
        await asyncio.sleep(100)
        worker.wake("a")
        await asyncio.sleep(50)
    assert house.looks == [("a", 100)]
    assert house.results == [("success", 1)]


async def test_a_namespace_is_looked_at_again_when_it_said_so() -> None:
    """The answer of one look is the time of the next; None is only when something happens."""
    house = WorkerHarness()
    answers = [START + 60 * SECOND, START + 200 * SECOND, None]

    async def next_time() -> datetime | None:
        return answers.pop(0)

    house.behaviour["a"] = next_time
    async with working(house) as worker:
        worker.wake("a")
        await asyncio.sleep(10_000)
    assert house.looks == [("a", 0), ("a", 60), ("a", 200)]


async def test_waking_twice_looks_once() -> None:
    """A namespace stands in the queue once, at the earliest time."""
    house = WorkerHarness()
    async with working(house) as worker:
        worker.wake("a")
        worker.wake("a")
        await asyncio.sleep(100)
    assert house.looks == [("a", 0)]


async def test_what_changes_during_a_look_is_looked_at_once_more() -> None:
    """Never twice at once, and nothing that happens meanwhile is lost, nor put off to the time that the look names."""
    house = WorkerHarness()

    async def later() -> datetime | None:
        await asyncio.sleep(1)
        return now() + 1000 * SECOND

    house.behaviour["a"] = later
    async with working(house) as worker:
        worker.wake("a")
        await asyncio.sleep(0.3)
        worker.wake("a")
        await asyncio.sleep(0.3)
        worker.wake("a")
        await asyncio.sleep(100)
    assert house.looks == [("a", 0), ("a", 1)]


async def test_no_more_than_so_many_are_looked_at_at_once() -> None:
    """Concurrency is bounded, and rotations leave one slot free."""
    house = WorkerHarness(concurrency=4)
    async with working(house) as worker:
        for number in range(30):
            worker.wake(f"r{number}")
        await asyncio.sleep(100)
    assert len(house.looks) == 30
    assert house.most == 3


async def test_first_secrets_may_take_every_slot() -> None:
    """Nobody new waits because a slot is kept free for somebody else."""
    house = WorkerHarness(concurrency=4)
    house.first = {f"f{number}" for number in range(8)}
    async with working(house) as worker:
        for name in house.first:
            worker.wake(name)
        await asyncio.sleep(100)
    assert house.most == 4


async def test_a_first_secret_comes_before_any_number_of_rotations() -> None:
    """The slot that is kept free serves it at once, though hundreds wait."""
    house = WorkerHarness(concurrency=2)
    house.first = {"new"}
    async with working(house) as worker:
        for number in range(300):
            worker.wake(f"r{number}")
        await asyncio.sleep(5.5)
        worker.wake("new")
        await settle()
        assert house.names()[-1] == "new"
        assert worker.depth(Priority.ROTATION) > 200


async def test_first_secrets_that_wait_come_first() -> None:
    """When every slot is taken, the next free one goes to the first lane."""
    house = WorkerHarness(concurrency=2)
    house.first = {"f0", "f1", "f2"}
    async with working(house) as worker:
        for name in ("r0", "r1", "f0", "f1", "f2"):
            worker.wake(name)
        await asyncio.sleep(100)
    assert house.names() == ["f0", "f1", "f2", "r0", "r1"]


async def test_waking_what_is_due_already_does_not_cost_it_its_place() -> None:
    """Under load a namespace that is woken again and again still comes up in its turn."""
    house = WorkerHarness(concurrency=2)
    async with working(house) as worker:
        for name in ("a", "b", "c", "d"):
            worker.wake(name)
        await asyncio.sleep(0.5)
        worker.wake("b")
        await asyncio.sleep(1)
        worker.wake("c")
        await asyncio.sleep(100)
    assert house.names()[:4] == ["a", "b", "c", "d"]


async def test_a_namespace_that_waits_changes_its_lane_when_woken() -> None:
    """A rotation whose Secret was deleted becomes a first Secret at the next wake."""
    house = WorkerHarness(concurrency=2)
    async with working(house) as worker:
        for name in ("r0", "r1", "r2"):
            worker.wake(name)
        await settle()
        house.first = {"r2"}
        worker.wake("r2")
        await settle()
        assert house.names() == ["r0", "r2"]


async def test_the_depth_counts_who_is_due_and_waits() -> None:
    """Neither who is being looked at nor who is due later counts."""
    house = WorkerHarness(concurrency=2)

    async def tomorrow() -> datetime | None:
        return now() + timedelta(days=1)

    house.behaviour["later"] = tomorrow
    async with working(house) as worker:
        worker.wake("later")
        await settle()
        for name in ("a", "b", "c", "b"):
            worker.wake(name)
        await settle()
        assert worker.depth(Priority.ROTATION) == 2
        assert worker.depth(Priority.NEW) == 0
