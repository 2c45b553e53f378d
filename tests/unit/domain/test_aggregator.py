"""What is said of many: how they are grouped, and when a group has ended."""

from datetime import timedelta

from pullkeeper.domain.reporting.aggregator import LONGEST, QUIET, EventAggregator
from testsupport.examples import NOW

SECOND = timedelta(seconds=1)


def test_the_first_of_a_group_are_told_in_full() -> None:
    """As many as are wanted, of each group."""
    digest = EventAggregator()
    assert [digest.add("a", "x", NOW, in_full=2) for _ in range(4)] == [True, True, False, False]
    assert digest.add("b", "x", NOW, in_full=2)
    assert not digest.add("c", "x", NOW)
    assert {summary.key: summary.untold for summary in digest.take()} == {"a": 2, "b": 0, "c": 1}


def test_a_group_ends_when_nothing_has_come_for_a_while() -> None:
    """Each thing that comes puts its end off."""
    digest = EventAggregator()
    assert digest.due is None
    digest.add("a", "x", NOW)
    assert digest.due == NOW + QUIET
    digest.add("a", "y", NOW + QUIET - SECOND)
    assert digest.take(NOW + QUIET) == []
    (summary,) = digest.take(NOW + 2 * QUIET - SECOND)
    assert (summary.count, summary.lasted) == (2, QUIET - SECOND)
    assert digest.take() == []


def test_a_group_that_does_not_end_is_told_after_an_hour() -> None:
    """And what comes then begins a new one."""
    digest, at = EventAggregator(), NOW
    while at < NOW + LONGEST:
        digest.add("a", "x", at)
        at += QUIET / 2
    assert digest.due == NOW + LONGEST
    assert [summary.count for summary in digest.take(NOW + LONGEST)] == [24]
    digest.add("a", "x", at)
    assert digest.due == at + QUIET


def test_the_slowest_of_a_group_is_named() -> None:
    """Whichever comes when."""
    digest = EventAggregator()
    for name, seconds in (("x", 1), ("y", 3), ("z", 2)):
        digest.add("a", name, NOW, took=seconds * SECOND)
    (summary,) = digest.take()
    assert (summary.slowest, summary.slowest_name) == (3 * SECOND, "y")
