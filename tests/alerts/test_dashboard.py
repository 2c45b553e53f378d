"""Every expression of the dashboard by promtool: Prometheus can parse it."""

from pathlib import Path

from testsupport.alert_rules import file_of
from testsupport.name_sources import panel_expressions
from testsupport.prometheus_tools import Tools, promtool

VARIABLES = {"$__rate_interval": "5m", "$namespace": ".*", "$job": ".*"}
"""What Grafana would put in their place."""


def test_prometheus_can_parse_every_panel(tools: Tools, tmp_path: Path) -> None:
    """Each is made a recording rule, which Prometheus refuses where it cannot parse it."""
    expressions = list(panel_expressions().values())
    rules = [{"record": f"panel:{number}", "expr": _plain(each)} for number, each in enumerate(expressions)]
    file = tmp_path / "panels.yaml"
    file.write_text(file_of(rules))
    assert f"{len(expressions)} rules found" in promtool(tools, "check", "rules", file)


def _plain(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression
