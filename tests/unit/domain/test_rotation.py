"""When tokens become due for rotation, and how the rotations of many namespaces are spread."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.rotation import Rotation, is_plausible
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
def test_token_is_due_after_a_fraction_or_at_the_maximum_age(
    rule: Rotation, life: timedelta, expected: timedelta
) -> None:
    """Whichever comes first, counted from the issue."""
    assert rule.refresh_at(times(life=life)) == NOW + expected


@given(rotations, token_times)
def test_token_is_used_until_shortly_before_it_is_due(rule: Rotation, held: TokenValidity) -> None:
    """The margin is a twentieth of the time from issue to rotation."""
    until, due = rule.usable_until(held), rule.refresh_at(held)
    assert held.issued_at <= until <= due
    assert due - until <= (due - held.issued_at) / 20 + timedelta(microseconds=1)


@given(rotations, token_times, names)
def test_every_namespace_rotates_between_due_and_expiry(rule: Rotation, held: TokenValidity, name: str) -> None:
    """However short the life and however long the jitter."""
    turn = rule.refresh_at_for(name, held)
    assert held.issued_at <= rule.refresh_at(held) <= turn < held.expires_at


@given(rotations, token_times, names)
def test_jitter_is_bounded(rule: Rotation, held: TokenValidity, name: str) -> None:
    """By the setting, and by a quarter of the time between rotation and expiry."""
    turn = rule.refresh_at_for(name, held)
    assert turn <= held.issued_at + rule.max_token_age + rule.jitter
    assert turn - rule.refresh_at(held) <= (held.expires_at - rule.refresh_at(held)) / 4 + timedelta(microseconds=1)


@given(rotations, token_times, names)
def test_jitter_is_the_same_for_every_call(rule: Rotation, held: TokenValidity, name: str) -> None:
    """A namespace rotates at the same time, whichever process computes it."""
    again = Rotation(fraction=rule.fraction, jitter=rule.jitter, max_token_age=rule.max_token_age)
    assert rule.refresh_at_for(name, held) == again.refresh_at_for(name, held)


def test_jitter_does_not_change_between_releases() -> None:
    """Neither a restart with another hash seed nor a new release moves a rotation."""
    turns = [Rotation().refresh_at_for(name, times()) - NOW - 6 * HOUR for name in ("team-a", "team-b")]
    assert [round(turn.total_seconds()) for turn in turns] == [331, 141]


def test_rotations_are_spread_evenly() -> None:
    """Of 2000 namespaces each tenth of the window gets a tenth, within a third."""
    rule, held = Rotation(), times()
    tenths = Counter(
        int((rule.refresh_at_for(f"namespace-{number}", held) - rule.refresh_at(held)) / (rule.jitter / 10))
        for number in range(2000)
    )
    assert set(tenths) == set(range(10))
    assert all(133 < count < 267 for count in tenths.values())


@pytest.mark.parametrize("form", ["team-{:05}", "{}", "customer-{0}-{0}", "pr-{:x}"])
def test_rotation_never_exceeds_twice_the_even_rate(form: str) -> None:
    """Of 5,000 namespaces whose names differ little, in any ten seconds of the window."""
    rule, held = Rotation(), times()
    tens = Counter(
        (rule.refresh_at_for(form.format(number), held) - rule.refresh_at(held)) // timedelta(seconds=10)
        for number in range(5000)
    )
    even = 5000 / (rule.jitter / timedelta(seconds=10))
    assert len(tens) == rule.jitter / timedelta(seconds=10)
    assert max(tens.values()) <= 2 * even


def test_no_jitter_means_rotation_when_due() -> None:
    """Every namespace rotates at the same time."""
    rule = Rotation(jitter=timedelta())
    assert {rule.refresh_at_for(f"namespace-{number}", times()) for number in range(50)} == {rule.refresh_at(times())}


def test_jitter_shrinks_for_short_lived_tokens() -> None:
    """With two minutes of life it takes a quarter of the last minute, not ten minutes."""
    short = times(life=2 * MINUTE)
    turns = [Rotation().refresh_at_for(f"namespace-{number}", short) for number in range(200)]
    assert max(turns) <= NOW + MINUTE + MINUTE / 4


@given(rotations, names, st.integers(0, 10**9))
def test_token_that_expires_before_its_issue_is_due(rule: Rotation, name: str, seconds: int) -> None:
    """Even a validity that makes no sense gives a time of rotation, in the past."""
    senseless = times(life=-timedelta(seconds=seconds))
    assert rule.refresh_at_for(name, senseless) <= NOW


@given(rotations, names)
def test_common_work_is_spread_within_the_jitter(rule: Rotation, name: str) -> None:
    """At the same place for every call, and at once without jitter."""
    turn = rule.spread(name, NOW)
    assert NOW <= turn <= NOW + rule.jitter
    assert turn == rule.spread(name, NOW)
    assert Rotation(jitter=timedelta()).spread(name, NOW) == NOW


@pytest.mark.parametrize(("more", "plausible"), [(timedelta(), True), (timedelta(microseconds=1), False)])
def test_times_may_be_as_strange_as_clocks_are(more: timedelta, *, plausible: bool) -> None:
    """A life of twelve hours and one more, an issue five minutes ahead."""
    assert is_plausible(times(life=13 * HOUR + more)) is plausible
    assert is_plausible(times(), now=NOW - 5 * MINUTE - more) is plausible


def test_replacing_a_token_is_urgent_when_little_is_left_and_when_it_has_expired() -> None:
    """The moments stay the same, so that what is fetched since then is not fetched again."""
    rule, validity = Rotation(), times(life=12 * HOUR)
    assert rule.urgent_since(validity, validity.issued_at + 10.4 * HOUR) is None
    assert rule.urgent_since(validity, validity.issued_at + 10.5 * HOUR) == validity.issued_at + 10.5 * HOUR
    assert rule.urgent_since(validity, validity.issued_at + 11.9 * HOUR) == validity.issued_at + 10.5 * HOUR
    assert rule.urgent_since(validity, validity.issued_at + 13 * HOUR) == validity.expires_at
