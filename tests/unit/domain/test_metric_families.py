"""The metric families follow Prometheus' naming conventions and our own."""

import re

import pytest

from pullkeeper.domain.reporting.metric_families import FAMILIES, OPERATIONS, MetricFamily, MetricType
from pullkeeper.domain.secret.plan import Cause


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_and_help_follow_the_conventions(family: MetricFamily) -> None:
    """Our prefix, base units, `_total` on counters alone, HELP, and no label that a scrape sets."""
    assert re.fullmatch(r"pullkeeper(_[a-z]+)+", family.name)
    assert family.name.endswith("_total") == (family.type is MetricType.COUNTER)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|count|sum|bucket|created)$", family.name)
    assert family.documentation.endswith(".")
    assert not {"job", "instance", "namespace", "pod", "le"} & set(family.labels)
    assert bool(family.buckets) == (family.type is MetricType.HISTOGRAM)
    assert list(family.buckets) == sorted(family.buckets)


def test_names_are_unique() -> None:
    """Prometheus could not tell two families of one name apart."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_the_operations_are_the_causes_of_a_write_and_delete() -> None:
    """Every write has a cause; a deletion has none."""
    assert set(OPERATIONS) == {*Cause, "delete"}
