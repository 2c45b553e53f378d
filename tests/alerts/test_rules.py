"""Every alert by promtool: it parses, it fires for what it is for, and it is quiet when all is well."""

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


def test_prometheus_takes_the_rules(tools: Tools, rules_file: Path) -> None:
    """With every lint that promtool has."""
    assert f"{len(ALERTS)} rules found" in promtool(tools, "check", "rules", "--lint=all", "--lint-fatal", rules_file)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_when_it_should_and_not_otherwise(tools: Tools, rules_file: Path, alert: str) -> None:
    """Series are played to the rule, and its alerts are as expected at each moment, with every word."""
    file = rules_file.with_name("test.yaml")
    file.write_text(unit_test(alert, rules_file))
    promtool(tools, "test", "rules", file)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_cases_of_both_kinds(alert: str) -> None:
    """One at least in which it fires, and one at least in which it never does."""
    fires = [any(moment["exp_alerts"] for moment in case["alert_rule_test"]) for case in cases(alert)]
    assert set(fires) == {True, False}
    assert all(case["input_series"] and case["alert_rule_test"] for case in cases(alert))


def test_there_are_no_cases_of_alerts_that_are_gone() -> None:
    """A case file is named as its alert."""
    assert {file.stem for file in CASES.iterdir()} == set(ALERTS)
