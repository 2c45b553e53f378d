"""Goes through every point of every scenario with every fault, one at a time; and through pairs that are drawn."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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


def explore(names: Iterable[str], pool: Pool, *, pairs: int = 0, seed: int = 0) -> Tally:
    """Make every run with at most one fault, and so many with two."""
    undisturbed = pool.map(run, [(name, ()) for name in names], chunksize=1)
    disturbed = pool.map(run, [each for result in undisturbed for each in followed_by_one_more(result)], chunksize=8)
    drawn = [*draw_pairs(disturbed, pairs, random.Random(seed))]
    tally = Tally()
    for result in (*undisturbed, *disturbed, *pool.imap_unordered(run, drawn, chunksize=8)):
        tally.add(result)
    return tally


def draw_pairs(disturbed: Sequence[Result], count: int, rng: random.Random) -> Iterator[Task]:
    """Draw so many runs in which, after one thing, another goes wrong; each scenario is as likely as any other."""
    names = sorted({result.task[0] for result in disturbed})
    for _ in range(count):
        name = rng.choice(names)
        later: list[Task] = []
        while not later:  # what went wrong at the last point is followed by nothing
            later += followed_by_one_more(rng.choice([result for result in disturbed if result.task[0] == name]))
        yield rng.choice(later)


def explore_states(pool: Pool) -> Tally:
    """Make the run from every state."""
    tally = Tally()
    for result in pool.imap_unordered(run_from, every_state(), chunksize=16):
        tally.add(result)
    return tally
