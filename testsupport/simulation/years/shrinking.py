"""Makes a history that breaks an invariant as short as it can be in a limited number of runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from testsupport.simulation.world import Run
from testsupport.simulation.years.history import Item, items, with_items
from testsupport.virtual_time import HOUR

MOST_RUNS = 80
_IN_THE_END = ("11", "12")
"""Invariants about how a history ends: they would be broken by its end alone, wherever it is cut."""


class _Tries:
    """Tells whether a history still fails, so many times."""

    def __init__(self, run: Run, fails: Callable[[Run], bool], most: int) -> None:
        self._run = run
        self._fails = fails
        self.left = most

    def __call__(self, kept: Sequence[Item], end: float) -> bool:
        if self.left <= 0:
            return False
        self.left -= 1
        return self._fails(replace(with_items(self._run, kept), end=end))


def shrink(run: Run, invariant: str, fails: Callable[[Run], bool], *, most_runs: int = MOST_RUNS) -> Run:
    """Return a shorter history that still fails: cut at its end, then without whatever is not needed."""
    tries, kept, end = _Tries(run, fails, most_runs), items(run), run.end
    if not invariant.startswith(_IN_THE_END):
        kept, end = _cut(tries, kept, end)
    for name in sorted({each.name for _, each in kept if hasattr(each, "name")}):
        without = [item for item in kept if getattr(item[1], "name", None) != name]
        kept = without if tries(without, end) else kept
    kept = _without_chunks(tries, kept, end)
    return replace(with_items(run, kept), end=end)


def _cut(tries: _Tries, kept: list[Item], end: float) -> tuple[list[Item], float]:
    """Halve the time for as long as it fails in the first half."""
    low, high = 0.0, end
    while high - low > max(12 * HOUR, high / 20):
        middle = (low + high) / 2
        earlier = [item for item in kept if getattr(item[1], "at", getattr(item[1], "start", 0.0)) < middle]
        if tries(earlier, middle):
            kept, high = earlier, middle
        else:
            low = middle
    return kept, high


def _without_chunks(tries: _Tries, kept: list[Item], end: float) -> list[Item]:
    """Leave out chunks, smaller and smaller ones (delta debugging)."""
    size = max(len(kept) // 2, 1)
    while True:
        at = 0
        while at < len(kept) and tries.left > 0:
            rest = [*kept[:at], *kept[at + size :]]
            if tries(rest, end):
                kept = rest
            else:
                at += size
        if size == 1 or tries.left <= 0:
            return kept
        size //= 2
