"""When a token is due, and when it is whose turn."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.rotation import Rotation
from testsupport.examples import HOUR, NOW, times, token_times

MINUTE = timedelta(minutes=1)
rotations = st.builds(
    lambda fraction, window, age: Rotation(
        fraction=fraction, jitter=timedelta(seconds=window), max_token_age=timedelta(seconds=age)
    ),
    st.floats(0.1, 0.9),
    st.integers(0, 7200),
    st.integers(10, 43200),
)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("rule", "life", "expected"),
    [
        (Rotation(), 12 * HOUR, 6 * HOUR),
        (Rotation(), 20 * HOUR, 6 * HOUR),
        (Rotation(), HOUR, 30 * MINUTE),
        (Rotation(fraction=0.9), HOUR, 54 * MINUTE),
        (Rotation(fraction=0.25, max_token_age=2 * HOUR), 12 * HOUR, 2 * HOUR),
        (Rotation(), timedelta(seconds=1), timedelta(seconds=0.5)),
        (Rotation(), timedelta(), timedelta()),
    ],
)
def test_a_token_is_due_after_its_fraction_or_at_the_highest_age(
    rule: Rotation, life: timedelta, expected: timedelta
) -> None:
    """Whichever comes first counts, from the moment of issue."""
    assert rule.refresh_at(times(life=life)) == NOW + expected


@given(rotations, token_times)
def test_a_token_is_given_out_until_shortly_before_it_is_due(rule: Rotation, held: TokenValidity) -> None:
    """The margin is a twentieth of the way from issue to due, and never before the issue."""
    until, due = rule.usable_until(held), rule.refresh_at(held)
    assert held.issued_at <= until <= due
    assert due - until <= (due - held.issued_at) / 20 + timedelta(microseconds=1)


@given(rotations, token_times, names)
def test_every_turn_lies_between_due_and_death(rule: Rotation, held: TokenValidity, name: str) -> None:
    """Nobody's turn comes before the token is due or when it is dead, however short its life and long the window."""
    turn = rule.refresh_at_for(name, held)
    assert held.issued_at <= rule.refresh_at(held) <= turn < held.expires_at


@given(rotations, token_times, names)
def test_no_turn_comes_later_than_the_rule_allows(rule: Rotation, held: TokenValidity, name: str) -> None:
    """At most the highest age and one window, and at most a quarter of what is left of the life when it is due."""
    turn = rule.refresh_at_for(name, held)
    assert turn <= held.issued_at + rule.max_token_age + rule.jitter
    assert turn - rule.refresh_at(held) <= (held.expires_at - rule.refresh_at(held)) / 4 + timedelta(microseconds=1)


@given(rotations, token_times, names)
def test_asking_twice_draws_nothing_anew(rule: Rotation, held: TokenValidity, name: str) -> None:
    """A namespace's turn is the same at every call, in every process."""
    again = Rotation(fraction=rule.fraction, jitter=rule.jitter, max_token_age=rule.max_token_age)
    assert rule.refresh_at_for(name, held) == again.refresh_at_for(name, held)


def test_the_place_within_the_window_is_that_of_the_name_for_ever() -> None:
    """A restart with another hash seed, or a new release, moves nobody."""
    turns = [Rotation().refresh_at_for(name, times()) - NOW - 6 * HOUR for name in ("team-a", "team-b")]
    assert [round(turn.total_seconds()) for turn in turns] == [331, 141]


def test_many_namespaces_are_spread_evenly() -> None:
    """Of 2000 namespaces each tenth of the window gets its tenth, give or take a third."""
    rule, held = Rotation(), times()
    tenths = Counter(
        int((rule.refresh_at_for(f"namespace-{number}", held) - rule.refresh_at(held)) / (rule.jitter / 10))
        for number in range(2000)
    )
    assert set(tenths) == set(range(10))
    assert all(133 < count < 267 for count in tenths.values())


def test_without_a_window_everyone_is_due_at_once() -> None:
    """A window of nothing spreads nothing."""
    rule = Rotation(jitter=timedelta())
    assert {rule.refresh_at_for(f"namespace-{number}", times()) for number in range(50)} == {rule.refresh_at(times())}


def test_spreading_stops_where_little_life_is_left() -> None:
    """With two minutes of life the whole rotation takes a quarter of the minute that is left, not ten minutes."""
    short = times(life=2 * MINUTE)
    turns = [Rotation().refresh_at_for(f"namespace-{number}", short) for number in range(200)]
    assert max(turns) <= NOW + MINUTE + MINUTE / 4


@given(rotations, names, st.integers(0, 10**9))
def test_a_token_that_expires_before_its_issue_is_due(rule: Rotation, name: str, seconds: int) -> None:
    """Even times that make no sense give a turn, in the past."""
    senseless = times(life=-timedelta(seconds=seconds))
    assert rule.refresh_at_for(name, senseless) <= NOW
