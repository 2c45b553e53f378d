"""What the process holds does not grow with time, while namespaces come and go."""

import pytest

from testsupport.boundaries.churn import Footprint, churn
from testsupport.boundaries.mutants import ForgetsNoNamespace, ForgetsNoTimer, KeepsATranscript
from testsupport.virtual_time import DAY

_TWO_MONTHS = 60 * DAY
"""`make boundaries` takes a year."""


def test_nothing_grows() -> None:
    """Tasks, timers, connections, series, items, objects and bytes are as many after six times as long."""
    first, last = churn(_TWO_MONTHS)
    assert list(first.grown_to(last)) == []
    assert last.counts["tasks"] > 5
    assert last.counts["connections"] == 2
    assert last.counts["series"] > 50
    assert last.sizes["bytes of dict"] > 100_000


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [
        ("Worker", ForgetsNoTimer, "timers"),
        ("NamespaceRecords", ForgetsNoNamespace, "items of ForgetsNoNamespace"),
        ("Worker", KeepsATranscript, "bytes of str"),
    ],
)
def test_what_is_never_forgotten_is_noticed(name: str, broken: type, found: str) -> None:
    """One item for each namespace is enough."""
    first, last = churn(_TWO_MONTHS, ((name, broken),))
    assert any(each.startswith(found) for each in first.grown_to(last))


def test_only_growth_is_reported() -> None:
    """What has become less, or hardly more, is no leak."""
    first, last = Footprint(counts={"tasks": 500, "timers": 10}), Footprint(counts={"tasks": 5, "timers": 60, "x": 200})
    assert list(first.grown_to(last)) == ["x grew from 0 to 200"]
    first, last = Footprint(counts={}, sizes={"str": 10_000}), Footprint(counts={}, sizes={"str": 40_000, "y": 33_000})
    assert list(first.grown_to(last)) == ["y grew from 0 to 33000"]
