"""Who may call AWS next."""

import asyncio

from pullkeeper.tokens.call_queue import MAX_ANSWERED, MAX_CONCURRENT, CallQueue
from pullkeeper.tokens.demand import Demand, Requester

KNOWN = ("eu-west-1", "us-west-2")


class Calls:
    """Calls through a queue, each of which takes some seconds."""

    def __init__(self) -> None:
        self.queue = CallQueue(is_listed=KNOWN.__contains__)
        self.started: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def add(
        self, name: str, region: str = "eu-west-1", *, first: bool = False, seconds: float = 0.0, service: str = "ecr"
    ) -> Demand:
        demand = Demand(Requester(namespace=name, first=first))
        self.tasks.append(asyncio.create_task(self._call(name, service, region, demand, seconds)))
        return demand

    async def _call(self, name: str, service: str, region: str, demand: Demand, seconds: float) -> None:
        async with self.queue.slot(service, region, [demand]):
            self.started.append((asyncio.get_running_loop().time(), name))
            await asyncio.sleep(seconds)

    async def done(self) -> list[str]:
        await asyncio.gather(*self.tasks)
        return [name for _, name in self.started]


async def test_calls_to_one_region_start_at_a_distance() -> None:
    """And no more of them run than there are slots; other regions and services do not wait for them."""
    calls = Calls()
    for number in range(MAX_CONCURRENT + 1):
        calls.add(f"team-{number}", seconds=10.0)
    calls.add("other", "us-west-2")
    calls.add("another", service="sts")
    await calls.done()
    times = {name: round(at, 1) for at, name in calls.started}
    start = times["team-0"]
    assert times["other"] == times["another"] == start
    assert [round(times[f"team-{number}"] - start, 1) for number in range(5)] == [0.0, 0.2, 0.4, 0.6, 10.0]


async def test_first_secret_goes_ahead_of_waiting_rotations() -> None:
    """Its turn is decided when a call starts, not when it is asked for; joining a waiting call moves it up."""
    calls = Calls()
    demands = [calls.add(f"rotation-{number}") for number in range(50)]
    await asyncio.sleep(0.3)
    calls.add("new", first=True)
    demands[40].add(Requester(namespace="new-too", first=True))
    order = await calls.done()
    assert order[:2] == ["rotation-0", "rotation-1"]
    assert set(order[2:4]) == {"new", "rotation-40"}


async def test_namespaces_take_turns() -> None:
    """One that wants two hundred calls delays another by one of them."""
    calls = Calls()
    for number in range(200):
        calls.add("greedy", f"made-up-{number}", first=True)
    await asyncio.sleep(0.05)
    calls.add("modest", "new-region-1", first=True)
    calls.add("modest", "new-region-2", first=True)
    order = await calls.done()
    assert order.index("modest") <= 1
    assert order[:5].count("modest") == 2


async def test_made_up_regions_share_the_slots_of_one() -> None:
    """While all of them hang, known regions are served at once; a region that has answered has its own slots."""
    calls = Calls()
    assert not calls.queue.is_known("new-region-1")
    calls.queue.record_answer("new-region-1")
    assert calls.queue.is_known("new-region-1")
    for number in range(20):
        calls.add(f"team-{number}", f"made-up-{number}", seconds=3600.0)
    await asyncio.sleep(60)
    assert len(calls.started) == MAX_CONCURRENT
    calls.add("honest", "new-region-1")
    calls.add("honest", "eu-west-1")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [name for _, name in calls.started[MAX_CONCURRENT:]] == ["honest", "honest"]
    await _cancel(calls)


async def test_cancelled_calls_give_up_their_place() -> None:
    """Whether they wait, have just been given a slot, or run."""
    calls = Calls()
    for number in range(8):
        calls.add(f"team-{number}", seconds=3600.0)
    await asyncio.sleep(5)
    await _cancel(calls)
    calls.tasks.clear()
    for number in range(MAX_CONCURRENT):
        calls.add(f"later-{number}", seconds=1.0)
    await asyncio.sleep(1)
    assert len(calls.started) == 2 * MAX_CONCURRENT
    await calls.done()


async def test_known_regions_are_bounded() -> None:
    """A proxy that answers for every name makes no more pools than that."""
    calls = Calls()
    for number in range(2 * MAX_ANSWERED):
        calls.queue.record_answer(f"made-up-{number}")
        calls.add("team-a", f"made-up-{number}")
    await calls.done()
    assert len(calls.queue) == MAX_ANSWERED + 1


async def _cancel(calls: Calls) -> None:
    for task in calls.tasks:
        task.cancel()
    await asyncio.wait(calls.tasks)
