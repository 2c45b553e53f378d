"""promtool's lints and unit tests for every alert."""

from pathlib import Path

import pytest

from tests.alerts.unit_tests import CASES, cases, unit_test
from testsupport.alert_rules import definitions, file_of, rules
from testsupport.prometheus_tools import Tools, promtool

ALERTS = sorted(definitions())


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(file_of(rules()))
    return file


def test_promtool_accepts_the_rules(tools: Tools, rules_file: Path) -> None:
    """With all of its lints."""
    assert f"{len(ALERTS)} rules found" in promtool(tools, "check", "rules", "--lint=all", "--lint-fatal", rules_file)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_in_its_cases_only(tools: Tools, rules_file: Path, alert: str) -> None:
    """Its labels and texts are compared at each time of each case."""
    file = rules_file.with_name("test.yaml")
    file.write_text(unit_test(alert, rules_file))
    promtool(tools, "test", "rules", file)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_cases_in_which_it_fires_and_does_not(alert: str) -> None:
    """At least one of each, and none that checks nothing."""
    fires = [any(moment["exp_alerts"] for moment in case["alert_rule_test"]) for case in cases(alert)]
    assert set(fires) == {True, False}
    assert all(case["input_series"] and case["alert_rule_test"] for case in cases(alert))


def test_every_case_file_belongs_to_an_alert() -> None:
    """It has the name of the alert."""
    assert {file.stem for file in CASES.iterdir()} == set(ALERTS)
