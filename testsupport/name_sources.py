"""Read names from the chart's alerts and dashboard and from the documents."""

import json
import re
from pathlib import Path
from typing import Any

from testsupport.alert_rules import rules

DASHBOARD = Path("charts/pullkeeper/dashboards/pullkeeper.json")
RUNBOOK = Path("docs/runbook.md")
OBSERVABILITY = Path("docs/observability.md")


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panel_expressions() -> dict[str, str]:
    """Return the dashboard's expressions by panel title and reference letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    }


def alert_expressions() -> dict[str, str]:
    """Return the alerts' expressions by name."""
    return {rule["alert"]: rule["expr"] for rule in rules()}


def section(document: Path, heading: str) -> str:
    """Return the text below a level-two heading, up to the next one."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", document.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None, f"{document} has no section {heading}"
    return match[1]


def first_column(text: str) -> list[str]:
    """Return the names in backquotes in the first column of the tables in a text."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
