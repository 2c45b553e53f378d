"""Non-interference is worth something: each of eight broken controllers is reported, the real one in no such run."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from random import Random

import pytest

from pullkeeper.adapters.aws import ecr
from pullkeeper.adapters.kubernetes import events
from pullkeeper.app import container
from pullkeeper.domain.errors import validation
from pullkeeper.domain.namespace import namespace
from pullkeeper.domain.namespace.annotations import MAX_LENGTHS
from pullkeeper.reconcile import desired_states, status_reporter, work_queue
from tests.simulation.test_non_interference import faults
from testsupport.simulation import hostile, interference_mutants, process, tenancy
from testsupport.simulation.script import Action
from testsupport.simulation.tenancy import Pair, Records, run

pytestmark = pytest.mark.slow

SEED = 1
Patch = tuple[object, str, object]


def _crafted(*actions: Iterable[Action]) -> Pair:
    """Return the run of the seed, but for its restart, with other hostile actions."""
    found = [action for each in actions for action in each]
    alone = replace(tenancy.pair(SEED).alone, restarts=())
    return tenancy.beside(alone, sorted(found, key=lambda action: action.at))


def _many(behaviour: Callable[[Random, float, str], Iterator[Action]], count: int, at: float = 0.0) -> Iterator[Action]:
    """Let each hostile namespace do one thing very often."""
    for name in tenancy.REFORMED:
        yield from islice(behaviour(Random(SEED), at, name), count)


def _first(**wanted: str) -> Iterator[Action]:
    """Ask for something before anybody honest does."""
    yield hostile.annotate(0.0, tenancy.REFORMED[0], enabled="true", **wanted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """Something broken, what a hostile namespace does about it, and what the report says."""

    patches: tuple[Patch, ...]
    pair: Callable[[], Pair]
    report: str


_DISABLED = "333333333333.dkr.ecr.me-south-1.amazonaws.com"
_FIPS = "333333333333.dkr.ecr-fips.eu-west-1.amazonaws.com"
MUTANTS = {
    "key without variant": Mutant(
        patches=((container, "TokenCache", interference_mutants.IgnoresVariants),),
        pair=lambda: _crafted(_first(registries=_FIPS)),
        report="no Secret at all",
    ),
    "key without uid": Mutant(
        patches=((container, "TokenCache", interference_mutants.IgnoresUids),),
        pair=lambda: _crafted(tenancy.usurped(Random(SEED))),
        report="given a token that it has no right to",
    ),
    "session region from a scope": Mutant(
        patches=((process, "Ecr", interference_mutants.TakesItsRegionFromAScope),),
        pair=lambda: _crafted(_first(registries=_DISABLED)),
        report="no Secret at all",
    ),
    "no token bucket": Mutant(
        patches=(
            (work_queue, "RateLimiter", interference_mutants.Unlimited),
            (status_reporter, "RateLimiter", interference_mutants.Unlimited),
            (events, "RateLimiter", interference_mutants.Unlimited),
        ),
        pair=lambda: _crafted(_many(hostile.grumbling, 250)),
        report="lines: ",
    ),
    "intent from the Secret": Mutant(
        patches=((desired_states, "fallback_state", interference_mutants.wants_what_the_secret_says),),
        pair=lambda: _crafted(hostile.pretence(Random(SEED), 0.0, "pretender")),
        report="given a token that it has no right to",
    ),
    "unbounded text": Mutant(
        patches=(
            (validation, "MAX_REPORTED", 1_000_000),
            (validation, "MAX_QUOTED", 1_000_000),
            (validation, "_MAX_PART", 1_000_000),
            (namespace, "MAX_LENGTHS", dict.fromkeys(MAX_LENGTHS, 1_000_000)),
        ),
        pair=lambda: _crafted(_many(hostile.huge, 20)),
        report="length of a text",
    ),
    "shared lock": Mutant(
        patches=((ecr, "Credentials", interference_mutants.SharesOneLock),),
        pair=lambda: _crafted(_many(hostile.elsewhere, 40)),
        report="later than alone",
    ),
    "shared slots": Mutant(
        patches=((ecr, "CallQueue", interference_mutants.SharesSlots),),
        pair=lambda: _crafted(_many(hostile.silence, 40)),
        report="later than alone",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_controller_that_lets_namespaces_reach_each_other_is_reported(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The property reports the broken controller, and nothing of the real one in the same run."""
    mutant = MUTANTS[name]
    assert _real(name) == []
    for owner, attribute, broken in mutant.patches:
        monkeypatch.setattr(owner, attribute, broken)
    reports = faults(run(mutant.pair()))
    assert [each for each in reports if mutant.report in each], reports


@cache
def _real(name: str) -> list[str]:
    records: Records = run(MUTANTS[name].pair())
    return [each for each in faults(records) if "in the end" not in each]
