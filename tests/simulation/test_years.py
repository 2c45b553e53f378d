"""Drawn worlds: the invariants hold in them, and the same seed gives the same history."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from testsupport.simulation.script import Action, act_on, opt_in
from testsupport.simulation.world import Run, simulate
from testsupport.simulation.years.campaign import Outcome, Totals, every_fault, run_seed
from testsupport.simulation.years.drawing import KINDS, TRAITS, draw
from testsupport.simulation.years.history import described, digest, items, with_items
from testsupport.simulation.years.shrinking import shrink
from testsupport.virtual_time import DAY

SEEDS = range(1, 13)
DAYS = 20.0
_DIGEST = """
from testsupport.simulation.world import simulate
from testsupport.simulation.years.drawing import draw
from testsupport.simulation.years.history import described, digest
for seed in (2, 4, 12):
    run = draw(seed, days=6).run
    print(digest(simulate(run)), *described(run), sep="\\n")
"""


@cache
def outcome(seed: int) -> Outcome:
    """Run a seed for a few days."""
    return run_seed(seed, days=DAYS)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_in_drawn_worlds(seed: int) -> None:
    """No invariant is broken at any moment; `make simulate` tries more seeds for a year each."""
    assert outcome(seed).found == ()


def test_the_same_seed_gives_the_same_history_byte_for_byte() -> None:
    """Two processes with different seeds for their hashes write, ask and say the same."""
    outputs = [_digests_with_hash_seed(seed) for seed in ("1", "2")]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) > 100


def _digests_with_hash_seed(seed: str) -> str:
    environment = {"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True, check=True, timeout=300
    ).stdout


def test_two_seeds_give_different_histories() -> None:
    """The digest tells records apart."""
    first, second = (digest(simulate(draw(seed, days=2).run)) for seed in (1, 2))
    assert first != second


def test_worlds_differ_in_every_trait() -> None:
    """Over the seeds of CI each trait occurs in many worlds, and is missing in many."""
    drawn = [draw(seed, days=1).traits for seed in range(1, 101)]
    for trait in TRAITS:
        assert 10 < sum(trait in traits for traits in drawn) < 90
    assert frozenset[str]().union(*drawn) == KINDS


def test_what_is_missing_in_a_campaign_is_a_failure() -> None:
    """A fault or a kind of world that never comes, and a right that nothing needs, where there were seeds enough."""
    totals, few = Totals(), Totals()
    full = Outcome(seed=1, years=1.0, happened=Counter(every_fault()), traits=KINDS, rights={"get secrets": 1})
    few.add(Outcome(seed=1, years=1.0))
    for _ in range(100):
        totals.add(full)
    assert (few.missing(), totals.missing()) == ([], [])
    del totals.happened["restore"]
    del totals.traits["polled ServiceAccounts"]
    totals.rights["get secrets"] = 0
    assert totals.missing() == [
        "a fault that never came: restore",
        "a kind of world that never came: polled ServiceAccounts",
        "a right that nothing needs: get secrets",
    ]


def test_a_history_shrinks_to_what_matters() -> None:
    """Of all that happens, what makes it fail is left, and little else."""
    run = draw(4, days=60).run
    needed = [act_on(20 * DAY, "edit", "team-0"), act_on(20 * DAY + 1, "delete", "team-0")]
    crowded = replace(run, actions=sorted([*run.actions, *needed], key=lambda action: action.at))

    def fails(tried: Run) -> bool:
        return all(action in tried.actions for action in needed)

    assert len(items(crowded)) > 100
    shrunk = shrink(crowded, "03 only ours", fails)
    assert [each for _, each in items(shrunk)] == needed
    assert shrunk.end < 25 * DAY
    assert len(list(described(shrunk))) == 2


def test_a_history_that_needs_everything_is_left_as_it_is() -> None:
    """Shrinking ends after a limited number of runs, whatever fails."""
    run = Run(seed=1, end=DAY, actions=list(_many()))
    tried: list[Run] = []

    def fails(each: Run) -> bool:
        tried.append(each)
        return len(items(each)) == len(items(run)) and each.end == run.end

    assert items(shrink(run, "03 only ours", fails, most_runs=30)) == items(run)
    assert len(tried) == 30


def test_a_history_can_be_taken_apart_and_put_together() -> None:
    """What happens in a run, and nothing else of it, is in its items."""
    run = draw(9, days=100).run
    assert list(described(with_items(run, items(run)))) == list(described(run))
    assert list(described(with_items(run, []))) == []


def _many() -> Iterator[Action]:
    for number in range(40):
        yield opt_in(float(number), f"team-{number}", "public.ecr.aws")
