"""Two controllers that act at once, as they never should, undo nothing of each other's.

Leader election spares work; it is not what keeps the Secrets right. Each write says which state it replaces.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.mutants import IgnoresVersions
from testsupport.simulation.record import CONTROLLER, Record
from testsupport.simulation.scenarios import SEEDS, split, stormy_season
from testsupport.simulation.world import simulate

INVARIANTS: dict[str, Callable[[Record], Iterator[str]]] = {
    "never stale": check_tokens.never_stale,
    "never worse": check_tokens.never_worse,
    "only ours": check_objects.only_ours,
    "in place": check_objects.in_place,
    "hands off": check_objects.hands_off,
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("invariant", INVARIANTS)
def test_the_invariants_of_what_is_written_hold(invariant: str, seed: int) -> None:
    """Whatever both of them saw, when, and in which order."""
    assert list(INVARIANTS[invariant](split(seed))) == []


def test_both_of_them_really_write() -> None:
    """Otherwise the rest would prove nothing: requests of one are refused because the other was there first."""
    record = split(SEEDS[0])
    refused = [request for request in record.asked("patch") if request.status == 409]
    written = [secret for versions in record.secrets.values() for secret in versions if secret.writer == CONTROLLER]
    assert len(refused) > 50
    assert len(written) > 500


def test_without_the_versions_they_would_undo_each_others_writes() -> None:
    """The checks notice two controllers that write over whatever is there now."""
    run = replace(stormy_season(SEEDS[0]), mutation={"PullSecretClient": IgnoresVersions}, at_once=2)
    assert [found for check in INVARIANTS.values() for found in check(simulate(run))]
