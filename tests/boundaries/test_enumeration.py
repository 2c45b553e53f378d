"""The points that are gone through are all that there are, of every kind that a scenario is known for."""

import random
from multiprocessing.pool import ThreadPool

import pytest

from testsupport.boundaries.explore import Result, Tally, draw_pairs, explore, followed_by_one_more, run
from testsupport.boundaries.journal import Crossing, Fault
from testsupport.boundaries.judge import judge
from testsupport.boundaries.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_known_call_and_event_is_a_point(name: str) -> None:
    """The undisturbed run keeps every promise, and crosses the boundary in each way that is known of it."""
    result = run((name, ()))
    assert result.wrong == ()
    assert SCENARIOS[name].calls <= {crossing.label for crossing in result.crossings}


def test_each_fault_is_applied_somewhere() -> None:
    """No fault is only declared."""
    crossings = [crossing for name in SCENARIOS for crossing in run((name, ())).crossings]
    assert {fault for crossing in crossings for fault in crossing.faults()} == set(Fault)


def test_same_plan_gives_the_same_run() -> None:
    """Points are numbered alike in each run, so each one is met; and what precedes a fault is as without it."""
    base, again = run(("rotate", ())), run(("rotate", ()))
    assert base == again
    number = len(base.crossings) // 2
    disturbed = run(("rotate", ((number, Fault.CRASH_BEFORE),)))
    assert disturbed.crossings[: number + 1] == base.crossings[: number + 1]
    assert disturbed.crossings != base.crossings


def test_a_second_fault_follows_the_first() -> None:
    """Two faults at once are those of one run and each later one in the run that came of it."""
    first = run(("opt out", ((1, Fault.LOST_BEFORE),)))
    tasks = list(followed_by_one_more(first))
    assert {faults[0] for _, faults in tasks} == {(1, Fault.LOST_BEFORE)}
    assert len(tasks) == sum(len(crossing.faults()) for crossing in first.crossings[2:])


def test_every_point_of_a_scenario_is_gone_through() -> None:
    """The tally has the undisturbed run, one for each fault at each point, and the pairs that are drawn."""
    with ThreadPool(1) as pool:
        tally = explore(["opt out"], pool, pairs=5)
    expected = list(followed_by_one_more(run(("opt out", ()))))
    assert tally.runs == {"opt out": len(expected) + 1 + 5}
    assert tally.faults.total() == len(expected) + 2 * 5
    assert tally.failed == []


def test_pairs_are_drawn_by_seed_of_every_scenario() -> None:
    """The last point of a run is followed by nothing, so it is never the first of two."""
    disturbed = [run((name, ((0, Fault.LOST_BEFORE),))) for name in ("opt out", "repair")]
    last = (len(disturbed[0].crossings) - 1, Fault.LOST_BEFORE)
    disturbed.append(Result(task=("opt out", (last,)), crossings=disturbed[0].crossings, wrong=()))
    drawn = list(draw_pairs(disturbed, 40, random.Random(1)))
    assert (
        drawn == list(draw_pairs(disturbed, 40, random.Random(1))) != list(draw_pairs(disturbed, 40, random.Random(2)))
    )
    assert {name for name, _ in drawn} == {"opt out", "repair"}
    possible = {task for result in disturbed for task in followed_by_one_more(result)}
    assert len(set(drawn)) > 20
    assert set(drawn) <= possible


def test_a_point_that_is_never_reached_is_reported() -> None:
    """A plan that did not happen proves nothing."""
    assert judge(SCENARIOS["opt out"], {999: Fault.CRASH_BEFORE}).wrong == ("the run never came to point 999",)


def test_a_failed_run_is_told_with_its_points() -> None:
    """Whoever reads it can repeat it."""
    crossing = Crossing(at=1.5, verb="patch", what="/api/v1/namespaces/team/secrets/x")
    result = Result(task=("repair", ((0, Fault.CRASH_AFTER),)), crossings=(crossing,), wrong=("broken",))
    tally = Tally()
    tally.add(result)
    assert tally.failed == [result]
    assert str(result).splitlines() == [
        "repair:",
        "  0 at 1.50 s patch /api/v1/namespaces/team/secrets/x: crash after it was done, before the answer",
        "    broken",
    ]
