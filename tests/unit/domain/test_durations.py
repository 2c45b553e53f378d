"""Durations as text."""

from datetime import timedelta

import pytest

from pullkeeper.domain.views.durations import format_duration


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(seconds=61), "1m1s"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=9, minutes=49, seconds=59), "9h49m"),
        (timedelta(days=1, hours=1), "1d1h"),
        (timedelta(days=2, hours=3, minutes=59), "2d3h"),
        (-timedelta(minutes=5), "5m"),
    ],
)
def test_the_two_largest_units_are_shown(length: timedelta, words: str) -> None:
    """Truncated, never rounded up, and without a sign."""
    assert format_duration(length) == words
