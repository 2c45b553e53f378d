"""Goes through every point of every scenario with every fault, one at a time or two."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.pool import Pool

from testsupport.boundaries.journal import Crossing, Fault
from testsupport.boundaries.judge import judge
from testsupport.boundaries.scenarios import SCENARIOS
from testsupport.boundaries.states import Start, every_state, scenario_of

Faults = tuple[tuple[int, Fault], ...]
"""What goes wrong in one run, in order of the points; a Plan that can be sent to another process."""
Task = tuple[str, Faults]
"""A scenario and what goes wrong in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of one run."""

    task: Task
    crossings: tuple[Crossing, ...]
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        name, faults = self.task
        found = [f"{name}:"]
        found += [f"  {number} {self._point(number)}: {fault}" for number, fault in faults]
        return "\n".join([*found, *(f"    {each}" for each in self.wrong)])

    def _point(self, number: int) -> str:
        if number >= len(self.crossings):
            return "never reached"
        crossing = self.crossings[number]
        return f"at {crossing.at:.2f} s {crossing.verb} {crossing.what}"


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was gone through."""

    runs: Counter[str] = field(default_factory=Counter)
    """By scenario."""
    faults: Counter[Fault] = field(default_factory=Counter)
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count one run."""
        name, faults = result.task
        self.runs[name] += 1
        self.faults.update(fault for _, fault in faults)
        if result.wrong:
            self.failed.append(result)


def run(task: Task) -> Result:
    """Make one run."""
    name, faults = task
    outcome = judge(SCENARIOS[name], dict(faults))
    return Result(task=task, crossings=outcome.crossings, wrong=outcome.wrong)


def run_from(start: Start) -> Result:
    """Make the run from a state."""
    scenario = scenario_of(start)
    outcome = judge(scenario, {})
    return Result(task=(scenario.name, ()), crossings=outcome.crossings, wrong=outcome.wrong)


def followed_by_one_more(result: Result) -> Iterator[Task]:
    """Give each run in which one more thing goes wrong, after all that did."""
    name, faults = result.task
    first = faults[-1][0] + 1 if faults else 0
    for number, crossing in enumerate(result.crossings[first:], first):
        for fault in crossing.faults():
            yield name, (*faults, (number, fault))


def explore(names: Iterable[str], pool: Pool, *, at_once: int = 1) -> Tally:
    """Make every run with up to that many faults."""
    tally, tasks = Tally(), [(name, ()) for name in names]
    level: list[Task] = list(tasks)
    for depth in range(at_once + 1):
        results = list(pool.imap_unordered(run, level, chunksize=8))
        for result in results:
            tally.add(result)
        level = [] if depth == at_once else [each for result in results for each in followed_by_one_more(result)]
    return tally


def explore_states(pool: Pool) -> Tally:
    """Make the run from every state."""
    tally = Tally()
    for result in pool.imap_unordered(run_from, every_state(), chunksize=16):
        tally.add(result)
    return tally
