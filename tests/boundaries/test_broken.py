"""What is broken on purpose is noticed at some boundary, and not without a fault there."""

from dataclasses import dataclass, replace

import pytest

from testsupport.boundaries.explore import followed_by_one_more, run
from testsupport.boundaries.journal import Fault
from testsupport.boundaries.judge import judge
from testsupport.boundaries.mutants import (
    BelievesWhatItReads,
    IgnoresCancellation,
    KeepsTheLease,
    RetriesOnce,
    StopsAtAFailure,
)
from testsupport.boundaries.scenarios import SCENARIOS
from testsupport.boundaries.states import Answers, Attached, Found, Requested, Start, scenario_of
from testsupport.boundaries.world import Outcome
from testsupport.simulation.mutants import IgnoresVersions, NeverDeletes, NeverRelists


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A broken class by the name of the one that it replaces, and the scenario and the fault that show it."""

    scenario: str
    fault: Fault
    name: str
    broken: type


BROKEN = {
    "applies without a version": Broken(
        scenario="repair", fault=Fault.CRASH_LATE, name="PullSecretClient", broken=IgnoresVersions
    ),
    "relies on events": Broken(scenario="opt in", fault=Fault.DROPPED, name="NamespaceRelister", broken=NeverRelists),
    "relies on a stale listing": Broken(
        scenario="start", fault=Fault.STALE_BY_ALL, name="NamespaceRelister", broken=NeverRelists
    ),
    "believes what it reads": Broken(
        scenario="ServiceAccount's role changed, watched",
        fault=Fault.STALE_BY_ONE,
        name="Reconciler",
        broken=BelievesWhatItReads,
    ),
    "keeps the Lease": Broken(
        scenario="leadership change", fault=Fault.STOP_BEFORE, name="LeaderElector", broken=KeepsTheLease
    ),
    "ignores cancellation": Broken(
        scenario="opt in", fault=Fault.STOP_BEFORE, name="Worker", broken=IgnoresCancellation
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_variant_is_noticed(name: str) -> None:
    """One point with the fault shows it; the undisturbed run does not."""
    broken = BROKEN[name]
    scenario = replace(SCENARIOS[broken.scenario], mutation=((broken.name, broken.broken),))
    plans = [dict(faults) for _, faults in followed_by_one_more(run((broken.scenario, ())))]
    outcomes = [judge(scenario, plan) for plan in plans if broken.fault in plan.values()]
    assert any(outcome.wrong for outcome in outcomes)
    assert judge(scenario, {}).wrong == ()


def test_broken_variant_that_survives_any_one_fault_is_noticed_by_two() -> None:
    """A write is lost, and so is the retry."""
    scenario = replace(SCENARIOS["opt in"], mutation=(("Worker", RetriesOnce),))
    lost: dict[int, Fault] = {}
    for _ in range(2):
        outcome = judge(scenario, lost)
        assert outcome.wrong == ()
        lost[_next_write(outcome, after=max(lost, default=-1))] = Fault.LOST_BEFORE
    assert judge(scenario, lost).wrong
    assert judge(SCENARIOS["opt in"], lost).wrong == ()


def _next_write(outcome: Outcome, *, after: int) -> int:
    """Return the number of the next write of a Secret."""
    found = enumerate(outcome.crossings)
    return next(number for number, crossing in found if number > after and crossing.label == "patch secrets")


FROM_STATES: dict[str, tuple[Start, str, type]] = {
    "never deletes": (
        Start(
            requested=Requested.DISABLED,
            found=Found.FRESH,
            attached=Attached.WITHOUT,
            answers=Answers.AT_ONCE,
            remembers=False,
        ),
        "Reconciler",
        NeverDeletes,
    ),
    "stops at a failure": (
        Start(
            requested=Requested.OTHERS,
            found=Found.IMMUTABLE,
            attached=Attached.WITHOUT,
            answers=Answers.AT_ONCE,
            remembers=True,
        ),
        "Worker",
        StopsAtAFailure,
    ),
}


@pytest.mark.parametrize("name", FROM_STATES)
def test_broken_variant_does_not_get_there_from_a_state(name: str) -> None:
    """It ends elsewhere than the controller does."""
    start, replaced, broken = FROM_STATES[name]
    scenario = scenario_of(start)
    assert judge(replace(scenario, mutation=((replaced, broken),)), {}).wrong
    assert judge(scenario, {}).wrong == ()
