"""Two active controllers at once, as if leader election had failed, do not undo each other's writes.

Leader election saves work; correctness comes from the version that each write replaces.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.mutants import IgnoresVersions
from testsupport.simulation.record import CONTROLLER, Record
from testsupport.simulation.scenarios import SEEDS, faulty_season, two_at_once
from testsupport.simulation.world import simulate

pytestmark = pytest.mark.slow

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
    """The invariants hold whatever the two controllers observe, in whatever order."""
    assert list(INVARIANTS[invariant](two_at_once(seed))) == []


def test_both_controllers_write() -> None:
    """The run has conflicts: writes of one are refused because the other was first."""
    record = two_at_once(SEEDS[0])
    refused = [request for request in record.secret_requests("patch") if request.status == 409]
    written = [secret for versions in record.secrets.values() for secret in versions if secret.writer == CONTROLLER]
    assert len(refused) > 50
    assert len(written) > 500


def test_without_versions_they_undo_each_others_writes() -> None:
    """The checkers report two controllers that overwrite whatever is there."""
    run = replace(faulty_season(SEEDS[0]), mutation={"PullSecretClient": IgnoresVersions}, at_once=2)
    assert [found for check in INVARIANTS.values() for found in check(simulate(run))]
