"""The chart's alerts as Prometheus rules, rendered like templates/prometheusrule.yaml but without Helm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path("charts/pullkeeper")
ALERTS = CHART / "alerts" / "alerts.yaml"
SELECTOR = 'namespace="pullkeeper-system"'
RUNBOOK = "https://github.com/pullkeeper/pullkeeper/blob/main/docs/runbook.md"

Overrides = Mapping[str, Mapping[str, Any]]
"""The value of `prometheusRule.alerts`: by alert, the keys that differ from its defaults."""


def definitions() -> dict[str, dict[str, Any]]:
    """Read alerts.yaml: the definitions by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(ALERTS.read_text())
    return found


def rules(overrides: Overrides | None = None, selector: str = SELECTOR) -> list[dict[str, Any]]:
    """Render the rules of the PrometheusRule."""
    rendered = []
    for name, alert in sorted(definitions().items()):
        parameters = {**alert["defaults"], **(overrides or {}).get(name, {}), "selector": selector}
        if parameters["enabled"]:
            rendered.append(_rule(name, alert, parameters))
    return rendered


def file_of(found: list[dict[str, Any]]) -> str:
    """Render rules as a Prometheus rules file."""
    return yaml.safe_dump({"groups": [{"name": "pullkeeper", "rules": found}]}, width=1000)


def _rule(name: str, alert: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": _substitute(alert["expr"], parameters),
        "for": parameters["for"],
        "labels": {"severity": parameters["severity"]},
        "annotations": {
            "summary": alert["summary"],
            "description": _substitute(alert["description"], parameters),
            "runbook_url": f"{RUNBOOK}#{name.lower()}",
        },
    }


def _substitute(text: str, parameters: Mapping[str, Any]) -> str:
    for key, value in parameters.items():
        text = text.replace(f"@{key}@", str(value))
    return text
