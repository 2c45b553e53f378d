"""Patterns of names, hosts and ARNs, in which `*` stands for any number of any characters."""

import re
from collections.abc import Sequence

NAMESPACE_PATTERN = re.compile(r"[a-z0-9*-]+")
"""A pattern of names of Namespaces."""


def matches_any(patterns: Sequence[str], text: str) -> bool:
    """Return whether any of the patterns matches the whole text."""
    return any(matches(pattern, text) for pattern in patterns)


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern matches the whole text; each part of it is searched for once, without backtracking.

    A tenant chooses the text. Taking the first occurrence of each part after the one before it suffices: a later one
    would leave less for the parts that follow.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == text
    last = parts.pop()
    start, end = len(first), len(text) - len(last)
    if start > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in parts:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def overlap(one: str, other: str) -> bool:
    """Return whether some text matches both patterns."""
    if "*" not in one:
        return matches(other, one)
    if "*" not in other:
        return matches(one, other)
    # Both can take in anything between what they begin and what they end with.
    return _agree(one.partition("*")[0], other.partition("*")[0]) and _agree(
        one.rpartition("*")[2][::-1], other.rpartition("*")[2][::-1]
    )


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
