"""The list of metrics: Prometheus' rules for names, and ours."""

import re

import pytest

from pullkeeper.domain.reporting.metric_families import FAMILIES, OPERATIONS, MetricFamily, MetricType
from pullkeeper.domain.secret.plan import Cause


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_says_what_it_is(family: MetricFamily) -> None:
    """Our prefix, base units, `_total` on counters alone, a sentence, and no label that a scrape would set."""
    assert re.fullmatch(r"pullkeeper(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") == (family.type is MetricType.COUNTER)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|count|sum|bucket|created)$", family.name)
    assert family.text.endswith(".")
    assert not {"job", "instance", "namespace", "pod", "le"} & set(family.labels)
    assert bool(family.buckets) == (family.type is MetricType.HISTOGRAM)
    assert list(family.buckets) == sorted(family.buckets)


def test_a_name_is_there_once() -> None:
    """Two metrics of one name could not be told apart."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_the_operations_are_the_causes_of_a_write() -> None:
    """And the deletion."""
    assert set(OPERATIONS) == {*Cause, "delete"}
