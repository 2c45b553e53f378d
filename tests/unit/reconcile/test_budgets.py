"""What a namespace may cost by its own changes: reconciliations, calls to AWS and log lines."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, NotLeadingError, Reason
from pullkeeper.domain.reporting.rate_limiter import AWS_CALL_COST, LOG_LINES, RECONCILES
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.work_queue import WorkQueue
from tests.unit.reconcile.reporter_harness import ReporterHarness
from tests.unit.reconcile.worker_harness import WorkerHarness, running
from testsupport.examples import NOW

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Population:
    """A queue, and a clock; each reconciliation takes no time."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls_to_aws = 0
        """For each reconciliation."""
        self.queue = WorkQueue(clock=lambda: self.now, max_concurrent=4)
        self.reconciled: list[tuple[str, float]] = []

    def process(self, requeue_after: timedelta | None = None) -> None:
        while (name := self.queue.pop(lambda _: Priority.ROTATION)) is not None:
            self.reconciled.append((name, (self.now - NOW) / SECOND))
            for _ in range(self.calls_to_aws):
                self.queue.charge_aws_call(name)
            self.queue.done(name, self.now + requeue_after if requeue_after else None)

    def edit(self, name: str, *, times: int, every: timedelta) -> None:
        """Change a namespace again and again, and reconcile whatever the queue gives."""
        for _ in range(times):
            self.queue.add_changed(name)
            self.process()
            self.now += every

    def of(self, name: str) -> list[float]:
        return [at for each, at in self.reconciled if each == name]


@pytest.fixture
def population() -> Population:
    return Population()


def test_a_first_change_is_reconciled_at_once(population: Population) -> None:
    """And so are as many as a person makes."""
    population.edit("a", times=RECONCILES.burst, every=SECOND)
    assert population.of("a") == [float(number) for number in range(RECONCILES.burst)]


@pytest.mark.parametrize("every", [SECOND / 1000, SECOND / 100, SECOND])
def test_changes_at_any_pace_cost_the_budget(population: Population, every: timedelta) -> None:
    """Ten at once and one each ten seconds, in ten minutes."""
    population.edit("a", times=10 * MINUTE // every, every=every)
    assert len(population.of("a")) == pytest.approx(RECONCILES.burst + 10 * MINUTE / RECONCILES.interval, abs=1)


def test_the_last_change_is_never_lost(population: Population) -> None:
    """It is reconciled within one interval, once."""
    population.edit("a", times=5_000, every=SECOND / 100)
    before, ended = len(population.of("a")), (population.now - NOW) / SECOND
    for _ in range(1000):
        population.now += SECOND
        population.process()
    (last,) = population.of("a")[before:]
    assert ended <= last <= ended + RECONCILES.interval / SECOND


def test_a_namespace_that_is_edited_at_any_pace_delays_no_other_one(population: Population) -> None:
    """Each has a budget of its own."""
    for number in range(200):
        population.edit("hostile", times=100, every=SECOND / 1000)
        population.queue.add_changed(f"honest-{number}")
        population.process()
        assert population.of(f"honest-{number}") == [(population.now - NOW) / SECOND]


def test_rotations_and_retries_are_not_charged(population: Population) -> None:
    """A thousand of them leave the budget as it is."""
    population.calls_to_aws = 9
    population.queue.add("a")
    for _ in range(1000):
        population.process(requeue_after=SECOND)
        population.now += SECOND
    assert len(population.of("a")) == 1000
    population.reconciled.clear()
    population.calls_to_aws = 0
    population.edit("a", times=RECONCILES.burst, every=timedelta())
    assert len(population.of("a")) == RECONCILES.burst


def test_what_is_not_a_change_is_not_delayed(population: Population) -> None:
    """Such as a token that its registry refuses, in a namespace without budget; the change is reconciled with it."""
    population.edit("a", times=20, every=timedelta())
    spent = len(population.of("a"))
    population.queue.add("a")
    population.process()
    assert len(population.of("a")) == spent + 1
    population.now += 2 * RECONCILES.interval
    population.process()
    assert len(population.of("a")) == spent + 1


def test_a_change_while_it_is_processed_waits_for_the_budget(population: Population) -> None:
    """It is reconciled afterwards, no earlier than the budget allows, and no later than a retry."""
    for retry, expected in ((None, 10.0), (3 * SECOND, 3.0)):
        each = Population()
        each.edit("a", times=RECONCILES.burst, every=timedelta())
        each.queue.add("a")
        assert each.queue.pop(lambda _: Priority.ROTATION) == "a"
        each.queue.add_changed("a")
        each.queue.done("a", NOW + retry if retry else None)
        for _ in range(30):
            each.process()
            each.now += SECOND
        assert each.of("a")[RECONCILES.burst :] == [expected]
    assert population.reconciled == []


def test_calls_to_aws_are_part_of_the_budget(population: Population) -> None:
    """A namespace with a hundred scopes that asks for fresh tokens all the time gets them more rarely."""
    population.calls_to_aws = 100
    population.edit("a", times=60_000, every=SECOND / 10)
    calls, seconds = 100 * len(population.of("a")), 6_000
    assert calls <= 1.1 * (RECONCILES.burst + seconds / (RECONCILES.interval / SECOND)) / AWS_CALL_COST
    assert len(population.of("a")) >= seconds / 300


def test_nothing_is_remembered_of_namespaces_that_are_gone(population: Population) -> None:
    """However many were created and deleted."""
    for number in range(5_000):
        population.edit(f"{number}", times=2, every=SECOND)
    assert len(population.queue._budgets._full_at) < 300  # noqa: SLF001 -- the bound on memory is the rule
    assert not population.queue._changed_at  # noqa: SLF001 -- as above


async def test_the_worker_reconciles_a_namespace_that_changes_all_the_time_at_its_pace() -> None:
    """Its neighbour is reconciled at once."""
    harness = WorkerHarness()
    async with running(harness) as queue:
        for _ in range(3_000):
            queue.add_changed("a")
            await asyncio.sleep(0.02)
        queue.add_changed("b")
        await asyncio.sleep(2)
    assert harness.names().count("a") <= RECONCILES.burst + 7
    assert harness.names().count("b") == 1


async def test_log_lines_about_a_namespace_are_within_its_budget(caplog: pytest.LogCaptureFixture) -> None:
    """What is suppressed is counted in the next one; another namespace is not affected."""
    caplog.set_level("INFO", "pullkeeper")
    harness = ReporterHarness()
    for number in range(600):
        harness.report("a", None, Failure(reason=Reason.INVALID_ANNOTATION, message=f"namespace/a: x{number}"))
        await asyncio.sleep(1)
    lines = caplog.messages
    assert len(lines) == pytest.approx(LOG_LINES.burst + 600 * SECOND / LOG_LINES.interval, abs=1)
    suppressed = [int(line.split("[")[1].split()[0]) for line in lines if "suppressed]" in line]
    assert sum(suppressed) + len(lines) == pytest.approx(600, abs=LOG_LINES.interval / SECOND)
    harness.report("b", None, Failure(reason=Reason.INVALID_ANNOTATION, message="namespace/b: no"))
    assert caplog.messages[-1].startswith("namespace/b: namespace/b: no")


async def test_namespaces_that_wait_for_aws_take_no_slots_of_others() -> None:
    """A hundred of them in regions that hang; the next one is reconciled at once, a first Secret or not."""
    harness = WorkerHarness(max_concurrent=4)

    async def wait() -> None:
        async with harness.queue.waiting(f"hanging-{len(harness.running)}"):
            await asyncio.sleep(1000)

    names = [f"hanging-{number}" for number in range(60)]
    harness.script = dict.fromkeys(names, wait)
    async with running(harness) as queue:
        for name in names:
            queue.add_changed(name)
        await asyncio.sleep(1)
        queue.add_changed("a")
        await asyncio.sleep(1)
    assert ("a", 1.0) in harness.reconciled_at


async def test_waiting_takes_slots_where_too_many_wait(population: Population) -> None:
    """So that their number is bounded."""
    queue = population.queue
    for number in range(200):
        queue.add_changed(f"{number}")
    async with AsyncExitStack() as stack:
        count = 0
        while (name := queue.pop(lambda _: Priority.ROTATION)) is not None:
            stack.callback(queue.done, name)
            await stack.enter_async_context(queue.waiting(name))
            count += 1
    assert count == 4 * 16 + 3


@pytest.fixture
def waiting_names(population: Population) -> list[str]:
    """Return names that are processed, far more than there are slots."""
    names = [f"{number}" for number in range(40)]
    for name in names:
        population.queue.add_changed(name)
    return names


async def _wait_and_work(queue: WorkQueue, name: str, answered: asyncio.Event, working: list[str]) -> int:
    """Wait for an answer as a reconciler does, then work; return how many work at that time."""
    try:
        async with queue.waiting(name):
            await answered.wait()
        working.append(name)
        count = len(working)
        await asyncio.sleep(1)
        working.remove(name)
        return count
    finally:
        queue.done(name)


async def _start_waiting(
    queue: WorkQueue, answered: asyncio.Event, working: list[str], priority_of: Callable[[str], Priority]
) -> list[asyncio.Task[int]]:
    """Begin with every name that the queue gives, until each waits for the answer."""
    tasks = []
    while (name := queue.pop(priority_of)) is not None:
        tasks.append(asyncio.create_task(_wait_and_work(queue, name, answered, working)))
        await asyncio.sleep(0)
    return tasks


async def test_those_that_waited_go_on_as_slots_become_free(population: Population, waiting_names: list[str]) -> None:
    """An answer that many have waited for does not let all of them write at once."""
    queue, answered = population.queue, asyncio.Event()
    tasks = await _start_waiting(queue, answered, [], lambda _: Priority.NEW)
    answered.set()
    assert max(await asyncio.gather(*tasks)) == 4
    assert len(tasks) == len(waiting_names)


async def test_nothing_is_begun_after_the_shutdown(population: Population, waiting_names: list[str]) -> None:
    """Whoever waited for something, or for a slot, stops without an effect."""
    queue, answered = population.queue, asyncio.Event()
    tasks = await _start_waiting(queue, answered, [], lambda _: Priority.NEW)
    answered.set()
    await asyncio.sleep(0.5)
    queue.shut_down()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    stopped = [result for result in results if isinstance(result, NotLeadingError)]
    assert len(stopped) == len(waiting_names) - 4


async def test_a_slot_is_taken_again_once_nothing_is_waited_for(population: Population) -> None:
    """A namespace with several regions waits for each of them."""
    queue = population.queue
    for name in ("a", "b", "c", "d"):
        queue.add_changed(name)

    def pop() -> str | None:
        return queue.pop(lambda _: Priority.ROTATION)

    assert pop() == "a"
    async with queue.waiting("a"):
        async with queue.waiting("a"):
            assert [pop(), pop(), pop()] == ["b", "c", "d"]
        queue.done("b")
        queue.add_changed("e")
        assert pop() == "e"
        queue.done("c")
    queue.add_changed("f")
    assert pop() is None
    queue.done("a")
    assert pop() == "f"


async def test_worker_sleeps_while_those_that_waited_need_slots() -> None:
    """What is due has to wait for them: the worker looks again when a slot is free, not all the time."""
    harness, answered = WorkerHarness(max_concurrent=2), asyncio.Event()
    begun: list[float] = []

    async def wait_and_work() -> None:
        name = f"{len(begun)}"
        begun.append(0)
        async with harness.queue.waiting(name):
            await answered.wait()
        await asyncio.sleep(10)

    names = [f"{number}" for number in range(10)]
    harness.script = dict.fromkeys(names, wait_and_work)
    async with running(harness) as queue:
        for name in names:
            queue.add_changed(name)
        await asyncio.sleep(1)
        answered.set()
        await asyncio.sleep(1)
        for name in ("x", "y", "z"):
            queue.add_changed(name)
        await asyncio.sleep(200)
    assert {"x", "y", "z"} <= {name for name, _ in harness.reconciled_at}


async def test_first_secret_goes_ahead_of_rotations_that_waited(population: Population) -> None:
    """However many of them come back at once: one slot is left to it, when it begins and when it comes back."""
    queue, answered, order = population.queue, asyncio.Event(), list[str]()

    def priority_of(name: str) -> Priority:
        return Priority.NEW if name == "new" else Priority.ROTATION

    for number in range(30):
        queue.add_changed(f"{number}")
    tasks = await _start_waiting(queue, answered, order, priority_of)
    answered.set()
    await asyncio.sleep(0.5)
    assert len(order) == 3
    queue.add_changed("new")
    assert queue.pop(priority_of) == "new"
    async with queue.waiting("new"):
        pass
    queue.done("new")
    assert len(order) == 3
    await asyncio.gather(*tasks)


async def test_cancelled_one_that_waits_for_a_slot_leaves_no_trace(population: Population) -> None:
    """As at the end of leadership."""
    queue, answered = population.queue, asyncio.Event()
    for number in range(10):
        queue.add_changed(f"{number}")
    tasks = await _start_waiting(queue, answered, [], lambda _: Priority.NEW)
    answered.set()
    await asyncio.sleep(0.5)
    for task in tasks[6:]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert len([result for result in results if isinstance(result, asyncio.CancelledError)]) == 4
    for number in range(4):
        queue.add_changed(f"again-{number}")
    again = [queue.pop(lambda _: Priority.NEW) for _ in range(5)]
    assert again == [*(f"again-{number}" for number in range(4)), None]
