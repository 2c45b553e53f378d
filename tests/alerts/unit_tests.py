"""Input for `promtool test rules`, from the case files in `cases`, one for each alert."""

from pathlib import Path
from typing import Any

import yaml

from testsupport.alert_rules import rules

CASES = Path(__file__).parent / "cases"


def cases(alert: str) -> list[dict[str, Any]]:
    """Read the cases of an alert: promtool's format without the alert's name and its constant texts."""
    found: list[dict[str, Any]] = yaml.safe_load((CASES / f"{alert}.yaml").read_text())
    return found


def unit_test(alert: str, rules_file: Path) -> str:
    """Render the test file of an alert."""
    rule = next(rule for rule in rules() if rule["alert"] == alert)
    tests = [_test(case, rule) for case in cases(alert)]
    document = {"rule_files": [str(rules_file)], "evaluation_interval": "1m", "tests": tests}
    return yaml.safe_dump(document, width=1000)


def _test(case: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    return {**case, "alert_rule_test": [_evaluation(evaluation, rule) for evaluation in case["alert_rule_test"]]}


def _evaluation(evaluation: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    expected = [
        {
            "exp_labels": each["exp_labels"],
            "exp_annotations": {**rule["annotations"], "description": each["description"]},
        }
        for each in evaluation["exp_alerts"]
    ]
    return {"eval_time": evaluation["eval_time"], "alertname": rule["alert"], "exp_alerts": expected}
