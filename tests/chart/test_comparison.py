"""The comparison with other charts: what two or more have is here, or there is a reason."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testsupport.helm import CHART
from tools import chart_comparison

DATA: Mapping[str, Any] = yaml.safe_load(chart_comparison.DATA.read_text())
FEATURES: list[dict[str, Any]] = yaml.safe_load(chart_comparison.FEATURES.read_text())
OURS = chart_comparison.paths(CHART)


def test_the_page_is_current() -> None:
    """`make chart-docs` updates it."""
    assert chart_comparison.PAGE.read_text() == chart_comparison.current()


def test_nine_charts_are_compared() -> None:
    """Each with a version and the commit that was read, in every feature."""
    assert len(DATA["charts"]) == 9
    assert all(len(chart["commit"]) == 40 and chart["version"] for chart in DATA["charts"].values())
    assert DATA["features"].keys() == {each["feature"] for each in FEATURES}


@pytest.mark.parametrize("chart", DATA["charts"])
def test_each_chart_was_really_read(chart: str) -> None:
    """All nine have replicas or resources, a ServiceMonitor and twenty more of what is compared."""
    assert chart in DATA["features"]["ServiceMonitor"]
    assert sum(chart in row for row in DATA["features"].values()) > 20


def _without(feature: str, *keys: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in each.items() if each["feature"] != feature or key not in keys}
        for each in FEATURES
    ]


def test_a_lack_needs_a_reason() -> None:
    """If two or more have what we lack; one alone may keep it."""
    with pytest.raises(ValueError, match=r"feature gates: 3 charts have it: say why not"):
        chart_comparison.page(DATA, _without("feature gates", "reason"), OURS)
    with pytest.raises(ValueError, match=r"tolerations: \d charts have it: say why not"):
        chart_comparison.page(DATA, _without("tolerations", "ours"), OURS)
    one = {**DATA, "features": {**DATA["features"], "feature gates": {"cert-manager": "featureGates"}}}
    assert "| feature gates |" in chart_comparison.page(one, _without("feature gates", "reason"), OURS)


def test_what_is_ours_must_exist() -> None:
    """A value that was renamed or removed is noticed, and a reason that outlived its lack."""
    with pytest.raises(ValueError, match="tolerations: the chart has no value tolerations"):
        chart_comparison.page(DATA, FEATURES, OURS - {"tolerations"})
    late = [{**each, "reason": "late"} if each["feature"] == "tolerations" else each for each in FEATURES]
    with pytest.raises(ValueError, match="tolerations: a reason for something that the chart has"):
        chart_comparison.page(DATA, late, OURS)


def test_values_are_found_as_charts_write_them(tmp_path: Path) -> None:
    """In the file, commented out, below a parent, and in a schema of either kind."""
    (tmp_path / "values.yaml").write_text("a:\n  b: 1\n  # c: 2\n# d: 3\ne: {}\n# Words: that are a comment\n")
    schema = '{"$defs": {"helm-values.f.g": {}}, "properties": {"h": {"properties": {"i": {}}}}}'
    (tmp_path / "values.schema.json").write_text(schema)
    assert chart_comparison.paths(tmp_path) >= {"a.b", "a.c", "d", "e", "f.g", "h", "h.i"}
    assert chart_comparison.find("i|b", {"x.y.i", "a.b", "ab"}) == "a.b"
    assert chart_comparison.find("^b", {"a.b"}) is None
