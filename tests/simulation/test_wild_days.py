"""Short runs in which more goes wrong at once than ever should; good for hunting with other seeds, too."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.record import Record
from testsupport.simulation.scenarios import wild_days
from testsupport.simulation.weather import Weather
from testsupport.simulation.world import simulate
from testsupport.virtual_time import MINUTE

CHECKERS: tuple[Callable[[Record], Iterable[str]], ...] = (
    check_tokens.never_stale,
    check_tokens.never_worse,
    check_tokens.token_is_only_in_the_secret,
    check_objects.only_ours,
    check_objects.in_place,
    check_objects.hands_off,
    check_objects.deletes_just_what_was_seen,
    check_objects.bad_input_creates_nothing,
    check_objects.converged,
)
WILD_SEEDS = (111, 142, 163)
"""Among those that once found something."""


@pytest.mark.parametrize("seed", WILD_SEEDS)
def test_every_invariant_in_wild_days(seed: int) -> None:
    """Whatever comes together, every rule holds, no surprise is logged, and the end is that of fair weather."""
    run = wild_days(seed)
    record = simulate(run)
    assert [found for checker in CHECKERS for found in checker(record)] == []
    assert list(check_objects.opted_out_is_gone(record, record.audit + 6 * MINUTE)) == []
    assert [text for text in record.texts if text.startswith("ERROR")] == []
    fair = simulate(replace(run, weather=Weather(life=run.weather.life), restarts=()))
    assert check_objects.ends(record) == check_objects.ends(fair)
