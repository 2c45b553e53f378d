"""The chart's alerts as Prometheus takes them: what templates/prometheusrule.yaml makes, made here without Helm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path("charts/pullkeeper")
ALERTS = CHART / "alerts" / "alerts.yaml"
SELECTOR = 'namespace="pullkeeper-system"'
RUNBOOK = "https://github.com/pullkeeper/pullkeeper/blob/main/docs/runbook.md"

Changes = Mapping[str, Mapping[str, Any]]
"""What `prometheusRule.alerts` says: for each alert the keys that are not as its defaults."""


def definitions() -> dict[str, dict[str, Any]]:
    """Read the alerts as they are written, by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(ALERTS.read_text())
    return found


def rules(changes: Changes | None = None, selector: str = SELECTOR) -> list[dict[str, Any]]:
    """Make the rules of the PrometheusRule."""
    made = []
    for name, alert in sorted(definitions().items()):
        filling = {**alert["defaults"], **(changes or {}).get(name, {}), "selector": selector}
        if filling["enabled"]:
            made.append(_rule(name, alert, filling))
    return made


def file_of(found: list[dict[str, Any]]) -> str:
    """Write rules as a rules file of Prometheus."""
    return yaml.safe_dump({"groups": [{"name": "pullkeeper", "rules": found}]}, width=1000)


def _rule(name: str, alert: Mapping[str, Any], filling: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": _filled(alert["expr"], filling),
        "for": filling["for"],
        "labels": {"severity": filling["severity"]},
        "annotations": {
            "summary": alert["summary"],
            "description": _filled(alert["description"], filling),
            "runbook_url": f"{RUNBOOK}#{name.lower()}",
        },
    }


def _filled(text: str, filling: Mapping[str, Any]) -> str:
    for key, value in filling.items():
        text = text.replace(f"@{key}@", str(value))
    return text
