"""The work queue alone: order, priorities, slots and coalescing."""

import asyncio
from datetime import timedelta

import pytest

from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.work_queue import WorkQueue
from testsupport.examples import NOW

SECOND = timedelta(seconds=1)
STEPS = range(6)
"""Steps of the event loop, at each of which a wait that has come to its end may be cancelled."""


class QueueHarness:
    """A queue with a clock and priorities that a test sets."""

    def __init__(self, max_concurrent: int = 2) -> None:
        self.now = NOW
        self.without_secret: set[str] = set()
        self.asked: list[str] = []
        self.queue = WorkQueue(clock=lambda: self.now, max_concurrent=max_concurrent)

    def add(self, *names: str) -> None:
        for name in names:
            self.queue.add(name)

    def pop(self) -> str | None:
        return self.queue.pop(self._priority_of)

    def depth(self, priority: Priority) -> int:
        return self.queue.depth(priority, self._priority_of)

    def drain(self) -> list[str]:
        """Pop and finish one name after the other."""
        found: list[str] = []
        while (name := self.pop()) is not None:
            found.append(name)
            self.queue.done(name)
        return found

    def _priority_of(self, name: str) -> Priority:
        self.asked.append(name)
        return Priority.NEW if name in self.without_secret else Priority.ROTATION


@pytest.fixture
def harness() -> QueueHarness:
    return QueueHarness()


@pytest.mark.parametrize("steps", STEPS)
async def test_whoever_stops_waiting_as_something_is_added_stops(harness: QueueHarness, steps: int) -> None:
    """A worker that went on would work beside the leader for ever."""
    waiting = asyncio.create_task(harness.queue.wait(60 * SECOND))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    harness.add("a")
    for _ in range(steps):
        await asyncio.sleep(0)
    is_cancelled = waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled() == is_cancelled


def test_name_added_twice_is_popped_once(harness: QueueHarness) -> None:
    """A burst of changes is one reconciliation."""
    harness.add("a", "b", "a", "a")
    assert harness.drain() == ["a", "b"]


def test_name_added_while_processed_is_popped_again_once(harness: QueueHarness) -> None:
    """Its time of requeue gives way to the change; until it is done, nobody else gets it."""
    harness.add("a")
    assert harness.pop() == "a"
    harness.add("a", "a")
    assert harness.pop() is None
    harness.queue.done("a", harness.now + 1000 * SECOND)
    assert harness.drain() == ["a"]
    harness.now += 2000 * SECOND
    assert harness.drain() == []


def test_requeued_name_is_popped_when_its_time_has_come(harness: QueueHarness) -> None:
    """Not earlier, unless it is added; then its former time no longer counts."""
    for name in ("a", "b"):
        harness.add(name)
        harness.pop()
        harness.queue.done(name, harness.now + 60 * SECOND)
    harness.now += 59 * SECOND
    assert harness.drain() == []
    harness.add("b")
    assert harness.drain() == ["b"]
    harness.now += SECOND
    assert harness.drain() == ["a"]


def test_names_are_popped_in_the_order_in_which_they_became_ready(harness: QueueHarness) -> None:
    """A scheduled name comes before one that is added after its time."""
    harness.add("scheduled")
    harness.pop()
    harness.queue.done("scheduled", harness.now + SECOND)
    harness.now += 2 * SECOND
    harness.add("added")
    assert harness.drain() == ["scheduled", "added"]


def test_new_is_popped_before_rotation(harness: QueueHarness) -> None:
    """However many rotations were there first."""
    harness.without_secret = {"new-1", "new-2"}
    harness.add("r-1", "r-2", "new-1", "new-2")
    assert harness.drain() == ["new-1", "new-2", "r-1", "r-2"]


def test_rotations_leave_one_slot_free() -> None:
    """A first Secret takes it; no slot is kept free from first Secrets."""
    harness = QueueHarness(max_concurrent=3)
    harness.add("r-1", "r-2", "r-3")
    assert [harness.pop(), harness.pop(), harness.pop()] == ["r-1", "r-2", None]
    harness.without_secret = {"new-1", "new-2"}
    harness.add("new-1", "new-2")
    assert [harness.pop(), harness.pop()] == ["new-1", None]
    harness.queue.done("r-1")
    assert [harness.pop(), harness.pop()] == ["new-2", None]


def test_name_that_waits_keeps_its_place_when_added_again(harness: QueueHarness) -> None:
    """Under load a name that changes all the time still gets its turn."""
    harness.add("a", "b", "c")
    assert harness.depth(Priority.ROTATION) == 3
    harness.now += SECOND
    harness.add("d", "a", "b")
    assert harness.drain() == ["a", "b", "c", "d"]


def test_name_that_waits_changes_its_priority_when_added_again(harness: QueueHarness) -> None:
    """A rotation whose Secret is deleted becomes a first Secret, and the other way round."""
    harness.without_secret = {"b"}
    harness.add("a", "b", "c")
    assert (harness.depth(Priority.NEW), harness.depth(Priority.ROTATION)) == (1, 2)
    harness.without_secret = {"c"}
    harness.add("b", "c")
    assert harness.drain() == ["c", "a", "b"]


def test_priority_is_asked_when_a_name_becomes_ready(harness: QueueHarness) -> None:
    """Not when it is added: what decides it may not have been observed by then."""
    harness.add("a")
    assert harness.asked == []
    harness.without_secret = {"a"}
    assert harness.depth(Priority.NEW) == 1
    assert harness.pop() == "a"
    assert harness.asked == ["a"]


def test_depth_counts_ready_names_that_wait(harness: QueueHarness) -> None:
    """Neither what is processed counts nor what is scheduled for later."""
    harness.add("later")
    harness.pop()
    harness.queue.done("later", harness.now + SECOND)
    harness.add("a", "b", "c", "b")
    harness.pop()
    assert (harness.depth(Priority.NEW), harness.depth(Priority.ROTATION)) == (0, 2)


def test_queue_that_is_shut_down_gives_nothing_more(harness: QueueHarness) -> None:
    """What waits is left to the next process."""
    harness.add("a")
    harness.queue.shut_down()
    assert harness.queue.is_shut_down
    assert harness.pop() is None


def test_heap_is_compacted(harness: QueueHarness) -> None:
    """A name that is added for ever does not grow the queue for ever, even behind one that waits for long."""
    for name in ("later", "busy"):
        harness.add(name)
        harness.pop()
        harness.queue.done(name, harness.now + timedelta(days=1))
    for _ in range(500):
        harness.add("busy")
        assert harness.pop() == "busy"
        harness.queue.done("busy", harness.now + timedelta(days=1))
    assert len(harness.queue._heap) < 100  # noqa: SLF001 -- a leak has no other symptom
    harness.now += timedelta(days=1)
    assert sorted(harness.drain()) == ["busy", "later"]
