"""Retry delays."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.errors.backoff import retry_delay

SECOND = timedelta(seconds=1)
SHORTEST = SECOND / 4
attempts = st.integers(1, 10**6)
draws = st.floats(0, 1, exclude_max=True)


@given(attempts, draws)
def test_the_delay_is_bounded(attempt: int, draw: float) -> None:
    """At most a minute, and never zero."""
    assert SHORTEST <= retry_delay(attempt, draw) <= 60 * SECOND


@given(attempts, draws)
def test_the_delay_is_longer_while_somebody_has_to_act(attempt: int, draw: float) -> None:
    """From half a minute to five minutes."""
    assert 27 * SECOND <= retry_delay(attempt, draw, requires_action=True) <= 300 * SECOND


@given(attempts, draws, st.booleans(), st.booleans())
def test_delays_never_decrease(attempt: int, draw: float, action: bool, may_pass: bool) -> None:  # noqa: FBT001 -- hypothesis gives it by place
    """With the same draw, a later attempt never has a shorter delay."""
    assert retry_delay(attempt, draw, requires_action=action, may_pass=may_pass) <= retry_delay(
        attempt + 1, draw, requires_action=action, may_pass=may_pass
    )


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (7, 60), (1000, 60)]
)
def test_the_bound_doubles(attempt: int, expected: int) -> None:
    """The range of the jitter doubles with each failure, up to a minute."""
    assert retry_delay(attempt, 0.5) == expected * SECOND / 2


@pytest.mark.parametrize(("attempt", "expected"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (1000, 300)])
def test_the_bound_doubles_while_somebody_has_to_act(attempt: int, expected: int) -> None:
    """From half a minute to five minutes, with a tenth of jitter."""
    assert retry_delay(attempt, 0, requires_action=True) == expected * SECOND * 0.9


@given(draws)
def test_what_may_pass_by_itself_is_retried_soon_first(draw: float) -> None:
    """Three times within one to three seconds; then as slowly as anything that somebody has to fix."""
    first = [retry_delay(attempt, draw, requires_action=True, may_pass=True) for attempt in (1, 2, 3)]
    assert all(SECOND <= each <= 3 * SECOND for each in first)
    for attempt in (1, 2, 100):
        slow = retry_delay(attempt, draw, requires_action=True)
        assert retry_delay(attempt + 3, draw, requires_action=True, may_pass=True) == slow


@given(attempts, draws)
def test_what_needs_nobody_is_retried_no_sooner_for_that(attempt: int, draw: float) -> None:
    """Its retries are short already."""
    assert retry_delay(attempt, draw, may_pass=True) == retry_delay(attempt, draw)


@given(attempts, st.tuples(draws, draws).map(sorted))
def test_full_jitter_follows_the_draw(attempt: int, two: list[float]) -> None:
    """A smaller draw never gives a longer delay."""
    assert retry_delay(attempt, two[0]) <= retry_delay(attempt, two[1])


@given(attempts, draws, st.booleans(), st.timedeltas(timedelta(), timedelta(hours=12)))
def test_no_delay_exceeds_a_tenth_of_the_lifetime_left(
    attempt: int,
    draw: float,
    requires_action: bool,  # noqa: FBT001 -- hypothesis gives it by place
    left: timedelta,
) -> None:
    """The less is left, the sooner the next attempt, in both modes."""
    wait = retry_delay(attempt, draw, requires_action=requires_action, left=left)
    assert SHORTEST <= wait <= max(SHORTEST, left / 10)
    assert wait <= retry_delay(attempt, draw, requires_action=requires_action)
