"""The files for `promtool test rules`: a case file in `cases` for each alert, made whole by what is the same in all."""

from pathlib import Path
from typing import Any

import yaml

from testsupport.alert_rules import rules

CASES = Path(__file__).parent / "cases"


def cases(alert: str) -> list[dict[str, Any]]:
    """Read the cases of an alert: promtool's form, but for an alert's name and its texts that do not vary."""
    found: list[dict[str, Any]] = yaml.safe_load((CASES / f"{alert}.yaml").read_text())
    return found


def unit_test(alert: str, rules_file: Path) -> str:
    """Write the test file of an alert."""
    rule = next(rule for rule in rules() if rule["alert"] == alert)
    tests = [_test(case, rule) for case in cases(alert)]
    document = {"rule_files": [str(rules_file)], "evaluation_interval": "1m", "tests": tests}
    return yaml.safe_dump(document, width=1000)


def _test(case: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    return {**case, "alert_rule_test": [_moment(moment, rule) for moment in case["alert_rule_test"]]}


def _moment(moment: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    expected = [
        {
            "exp_labels": each["exp_labels"],
            "exp_annotations": {**rule["annotations"], "description": each["description"]},
        }
        for each in moment["exp_alerts"]
    ]
    return {"eval_time": moment["eval_time"], "alertname": rule["alert"], "exp_alerts": expected}
