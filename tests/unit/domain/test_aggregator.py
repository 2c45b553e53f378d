"""Aggregation of events into groups, and when a group ends."""

from datetime import timedelta

from pullkeeper.domain.reporting.aggregator import IDLE_TIMEOUT, MAX_AGE, MAX_GROUPS, EventAggregator
from testsupport.examples import NOW

SECOND = timedelta(seconds=1)


def test_the_first_events_of_a_group_are_within_the_limit() -> None:
    """Up to the limit, for each group by itself."""
    aggregator = EventAggregator()
    assert [aggregator.add("a", "x", NOW, limit=2) for _ in range(4)] == [True, True, False, False]
    assert aggregator.add("b", "x", NOW, limit=2)
    assert not aggregator.add("c", "x", NOW)
    assert {summary.key: summary.suppressed for summary in aggregator.flush()} == {"a": 2, "b": 0, "c": 1}


def test_a_group_ends_after_the_idle_timeout() -> None:
    """Every event postpones the end."""
    aggregator = EventAggregator()
    assert aggregator.flush_at is None
    aggregator.add("a", "x", NOW)
    assert aggregator.flush_at == NOW + IDLE_TIMEOUT
    aggregator.add("a", "y", NOW + IDLE_TIMEOUT - SECOND)
    assert aggregator.flush(NOW + IDLE_TIMEOUT) == []
    (summary,) = aggregator.flush(NOW + 2 * IDLE_TIMEOUT - SECOND)
    assert (summary.count, summary.lasted) == (2, IDLE_TIMEOUT - SECOND)
    assert aggregator.flush() == []


def test_a_group_ends_at_its_maximum_age() -> None:
    """The next event starts a new group."""
    aggregator, at = EventAggregator(), NOW
    while at < NOW + MAX_AGE:
        aggregator.add("a", "x", at)
        at += IDLE_TIMEOUT / 2
    assert aggregator.flush_at == NOW + MAX_AGE
    assert [summary.count for summary in aggregator.flush(NOW + MAX_AGE)] == [24]
    aggregator.add("a", "x", at)
    assert aggregator.flush_at == at + IDLE_TIMEOUT


def test_the_summary_names_the_slowest() -> None:
    """In any order of events."""
    aggregator = EventAggregator()
    for name, seconds in (("x", 1), ("y", 3), ("z", 2)):
        aggregator.add("a", name, NOW, took=seconds * SECOND)
    (summary,) = aggregator.flush()
    assert (summary.slowest, summary.slowest_name) == (3 * SECOND, "y")


def test_the_number_of_groups_is_limited() -> None:
    """Ever new messages make room for each other, and none for a group that has something left to report."""
    aggregator = EventAggregator()
    for number in range(3):
        aggregator.add("many", f"ns-{number}", NOW, limit=1)
    for number in range(5_000):
        assert aggregator.add(f"message {number}", "ns", NOW, limit=1)
    found = {summary.key: summary.count for summary in aggregator.flush()}
    assert len(found) == MAX_GROUPS
    assert found["many"] == 3
    assert found["message 4999"] == 1


def test_a_group_beyond_the_limit_is_not_remembered() -> None:
    """While every other one has something left to report; then it is reported individually, or not at all."""
    aggregator = EventAggregator()
    for number in range(MAX_GROUPS):
        aggregator.add(f"message {number}", "ns", NOW)
    assert aggregator.add("one more", "ns", NOW, limit=1)
    assert not aggregator.add("one more", "ns", NOW)
    assert "one more" not in {summary.key for summary in aggregator.flush()}


def test_the_last_of_those_that_took_as_long_is_named() -> None:
    """There is a name even where nothing took any time."""
    aggregator = EventAggregator()
    for name in ("x", "y"):
        aggregator.add("a", name, NOW)
    (summary,) = aggregator.flush()
    assert (summary.slowest, summary.slowest_name) == (timedelta(), "y")
