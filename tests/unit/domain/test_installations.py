"""Whether several installations write the pull Secrets in turn, as far as the Secrets tell."""

from dataclasses import replace

import pytest

from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.installations import rivals
from testsupport.examples import EU, FOREIGN, managed, published

HELD = managed(published(EU))


def written(order: str) -> list[ObservedSecret]:
    """Return Secrets that these installations wrote one after the other; `-` names none."""
    return [
        replace(HELD, written_by="" if by == "-" else f"system/{by}", written_at=f"2026-03-01T12:{minute:02}:00Z")
        for minute, by in enumerate(order)
    ]


@pytest.mark.parametrize("order", ["", "a", "aaaa", "-a-a", "aabb", "abc", "a--bb", "aaaaaaaaaaaaaba"])
def test_one_alone_and_successors_are_no_rivals(order: str) -> None:
    """Nor is one that hardly any Secret names: its tenant may have written that."""
    assert rivals(written(order)) == ()


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        ("aba", "system/a (2), system/b (1)"),
        ("baab", "system/a (2), system/b (2)"),
        ("abab", "system/a (2), system/b (2)"),
        ("abca", "system/a (2), system/b (1), system/c (1)"),
        ("ababcc", "system/a (2), system/b (2)"),
    ],
)
def test_whose_writes_alternate_are_rivals(order: str, counts: str) -> None:
    """Each with the number of Secrets that it wrote last, whatever the order in which they are listed."""
    expected = (f"several installations write them in turn, as the Secrets say: {counts}",)
    assert rivals(written(order)) == rivals(reversed(written(order))) == expected


def test_a_successor_may_begin_in_the_second_in_which_the_other_ends() -> None:
    """Times are written in whole seconds."""
    *ones, first, other = written("aabb")
    assert rivals([*ones, replace(first, written_at=ones[-1].written_at), other]) == ()


def test_what_is_not_ours_or_has_lost_its_times_says_nothing() -> None:
    """As after a restore from a backup."""
    one, two, three = written("aba")
    assert rivals([one, replace(two, written_at=""), three]) == ()
    assert rivals([one, replace(FOREIGN, written_by="system/b", written_at=two.written_at), three]) == ()


def test_taking_over_within_one_second_is_no_rivalry() -> None:
    """Times in Secrets are of whole seconds."""
    last, first = (replace(each, written_at="2026-03-01T12:01:00Z") for each in written("ab"))
    assert rivals([*written("a"), last, first, replace(first, written_at="2026-03-01T12:02:00Z")]) == ()


def test_the_line_is_short_however_many_there_are() -> None:
    """No more than ten can have written a tenth."""
    many = written("abcdefghijk" * 5)
    assert rivals(many) == ()
    (found,) = rivals([replace(each, written_by=each.written_by * 30) for each in written("abcdefghij" * 5)])
    assert found.count("system/j") == 30
    assert len(found) < 10 * 317
