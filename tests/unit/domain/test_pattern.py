"""Patterns with `*`."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.pattern import matches, matches_any, overlap

PATTERNS = st.text(alphabet="ab*", max_size=8)
TEXTS = st.text(alphabet="ab*\n", max_size=10)


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_what_the_regular_expression_of_it_matches(pattern: str, text: str) -> None:
    """`*` is `.*` over the whole text; nothing else has a meaning."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


@given(st.lists(PATTERNS, max_size=3), TEXTS)
def test_one_of_several_patterns_suffices(patterns: list[str], text: str) -> None:
    """None of none matches."""
    assert matches_any(patterns, text) == any(matches(each, text) for each in patterns)


class CountedText(str):
    """Counts what is searched of it, in characters."""

    __slots__ = ("searched",)

    def __init__(self, _: str) -> None:
        self.searched = 0

    def find(self, part: str, start: int, end: int) -> int:  # type: ignore[override] # the only form that is used
        """Search, and count the characters from the start to the end of what was found."""
        found = super().find(part, start, end)
        self.searched += (end if found < 0 else found + len(part)) - start
        return found


@pytest.mark.parametrize("stars", [1, 4, 40, 400])
@pytest.mark.parametrize("size", [260, 2048, 100_000])
def test_the_text_is_searched_once_however_many_stars_there_are(stars: int, size: int) -> None:
    """The kind of text that a regular expression tries in every combination."""
    text = CountedText(f"arn:aws:iam::123456789012:role/{'a' * size}")
    # What a pattern ends with fits, since nothing is searched otherwise.
    assert not matches(f"arn:aws:iam::*:role/{'*a' * stars}*b*", text)
    assert not matches(f"arn:aws:iam::*:role/{'*a' * stars}*b*a", text)
    assert len(text) / 2 < text.searched <= 2 * len(text)


@given(PATTERNS, PATTERNS)
def test_patterns_overlap_where_a_text_matches_both(one: str, other: str) -> None:
    """The text of all parts of the one and then of the other, between the longer ends, shows it."""
    starts, ends = ({each.split("*")[index] for each in (one, other)} for index in (0, -1))
    middles = {"".join(pattern.split("*")[1:-1]) for pattern in (one, other)}
    candidates = {one, other} | {"".join(each) for each in product(starts, middles | {""}, middles | {""}, ends)}
    candidates = {each.replace("*", "") for each in candidates} | {each for each in (one, other) if "*" not in each}
    assert overlap(one, other) == any(matches(one, text) and matches(other, text) for text in candidates)
    assert overlap(one, other) == overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("role/team-blue", "role/team-*", True),
        ("role/*", "role/team-*", True),
        ("role/team-*", "role/*-blue", True),
        ("role/team-*-blue", "role/team-*-red", False),
        ("role/team-a*", "role/team-b*", False),
        ("*", "role/x", True),
        ("role/x", "role/x", True),
        ("role/x", "role/y", False),
    ],
)
def test_overlapping_roles(one: str, other: str, *, expected: bool) -> None:
    """In either order."""
    assert overlap(one, other) == overlap(other, one) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "found"), [("a*b*b", "ab", False), ("a*b*b", "abb", True), ("*ab*b", "aab", False)]
)
def test_what_a_text_ends_with_is_not_found_twice(pattern: str, text: str, *, found: bool) -> None:
    """A part before the last has to be before it."""
    assert matches(pattern, text) is found
