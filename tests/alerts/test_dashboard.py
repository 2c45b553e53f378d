"""Prometheus can parse every expression of the dashboard."""

from pathlib import Path

from testsupport.alert_rules import file_of
from testsupport.name_sources import panel_expressions
from testsupport.prometheus_tools import Tools, promtool

VARIABLES = {"$__rate_interval": "5m", "$cluster": ".*", "$namespace": ".*", "$job": ".*"}
"""Values for Grafana's variables."""


def test_prometheus_can_parse_every_panel(tools: Tools, tmp_path: Path) -> None:
    """Each becomes a recording rule, which promtool checks."""
    expressions = list(panel_expressions().values())
    rules = [{"record": f"panel:{number}", "expr": _without_variables(each)} for number, each in enumerate(expressions)]
    file = tmp_path / "panels.yaml"
    file.write_text(file_of(rules))
    assert f"{len(expressions)} rules found" in promtool(tools, "check", "rules", file)


def _without_variables(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression
