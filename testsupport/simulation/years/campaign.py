"""Runs many seeds in parallel processes, and adds up what happened in them."""

import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from testsupport.simulation.faults import ALL_REASONS
from testsupport.simulation.geography import Answer
from testsupport.simulation.resources import REFUSALS
from testsupport.simulation.timers import slow_timers
from testsupport.simulation.world import Run
from testsupport.simulation.world import World as Simulation
from testsupport.simulation.years.accounts import POLLED, ROUND, WATCHED
from testsupport.simulation.years.drawing import KINDS, World, draw
from testsupport.simulation.years.history import described
from testsupport.simulation.years.invariants import violations
from testsupport.simulation.years.shrinking import shrink

_FAULTS = {
    "API server away",
    "answer lost",
    "event late",
    "event lost",
    "event twice",
    "principal changed",
    "registry away",
    "replica cut off",
    "restart",
    "restore",
    "settings changed",
    "role changed",
    "role lost",
    "slow list",
    "unauthorized",
    "token refused by its registry",
    "undone: delete",
    "undone: detach",
    "undone: revert",
    "watch denied",
    "watch error 410",
    "watch error 500",
    "watch too old",
}
_ENOUGH = 100
"""Seeds in which every fault comes and every right is needed."""
_OF_KOPF = "watch namespaces everywhere"
"""A right that nothing needs in the worlds: a feed of Namespaces is in kopf's place."""
_YEAR = 365 * 86400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one seed."""

    seed: int
    years: float
    namespaces: int = 0
    writes: int = 0
    aws_calls: int = 0
    requests: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    traits: frozenset[str] = frozenset()
    rights: Mapping[str, int] = field(default_factory=dict)
    """How often each right that the chart grants was used."""
    found: Sequence[tuple[str, str]] = ()
    """Each violation: the invariant, and what has happened."""


def run_world(world: World) -> Outcome:
    """Run a world and judge it."""
    day = timedelta(days=1)
    with slow_timers(day, polling=ROUND if world.traits & {WATCHED, POLLED} else day), _without_garbage_collection():
        simulation = Simulation(world.run)
        simulation.finish()
    record, permissions = simulation.record, simulation.permissions
    return Outcome(
        seed=world.run.seed,
        years=world.run.end / _YEAR,
        namespaces=len(record.namespaces),
        writes=sum(map(len, record.secrets.values())),
        aws_calls=len(record.aws_calls) + len(record.sts_calls),
        requests=len(record.requests),
        happened=record.happened,
        traits=world.traits,
        rights=permissions.uses() if permissions else {},
        found=tuple(violations(world, record)),
    )


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Leave garbage until the end of a run: what is recorded grows all the time, and each collection walks it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_seed(seed: int, *, days: float) -> Outcome:
    """Draw the world of a seed, run it and judge it."""
    return run_world(draw(seed, days=days))


def run_seeds(seeds: Sequence[int], *, days: float, workers: int | None = None) -> Iterator[Outcome]:
    """Run seeds in parallel processes, in no certain order."""
    with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        yield from pool.imap_unordered(partial(run_seed, days=days), seeds)


def minimal_history(world: World, invariant: str) -> tuple[Run, list[str]]:
    """Return the shortest history that was found which still breaks an invariant, and it in words."""

    def fails(run: Run) -> bool:
        return any(name == invariant for name, _ in run_world(replace(world, run=run)).found)

    run = shrink(world.run, invariant, fails)
    return run, list(described(run))


def every_fault() -> frozenset[str]:
    """Return the names of all faults that the drawn worlds have."""
    answers = {f"AWS: {each}" for each in Answer if each is not Answer.ANSWERS}
    return frozenset(
        _FAULTS | answers | {f"AWS: {each}" for each in ALL_REASONS} | {f"refused: {each}" for each in REFUSALS}
    )


class Totals:
    """What all seeds add up to."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seeds = 0
        self._sums: Counter[str] = Counter()
        self._years = 0.0
        self.happened: Counter[str] = Counter()
        self.traits: Counter[str] = Counter()
        self.rights: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Add one seed."""
        self._seeds += 1
        self._years += outcome.years
        for name in ("namespaces", "writes", "aws_calls", "requests"):
            self._sums[name] += getattr(outcome, name)
        self.happened.update(outcome.happened)
        self.traits.update(outcome.traits)
        self.rights.update(outcome.rights)
        self.violations.update(name for name, _ in outcome.found)

    def missing(self) -> list[str]:
        """Return each fault and kind of world that never came, and each right that nothing needed.

        Then the worlds show too little.
        """
        if self._seeds < _ENOUGH:
            return []
        faults = [f"a fault that never came: {name}" for name in sorted(every_fault()) if not self.happened[name]]
        worlds = [f"a kind of world that never came: {name}" for name in sorted(KINDS) if not self.traits[name]]
        idle = sorted(name for name, uses in self.rights.items() if not uses and name != _OF_KOPF)
        return faults + worlds + [f"a right that nothing needs: {name}" for name in idle]

    def document(self) -> dict[str, Any]:
        """Return the figures for build/simulation.json."""
        return {
            "seeds": self._seeds,
            "years": round(self._years, 1),
            "seconds": round(time.monotonic() - self._started, 1),
            **self._sums,
            "faults": dict(sorted(self.happened.items())),
            "worlds with": dict(sorted(self.traits.items())),
            "violations": dict(sorted(self.violations.items())),
        }
