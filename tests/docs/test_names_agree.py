"""Code, alerts, dashboard and documents agree about every name that users rely on."""

import re
from typing import Any

import pytest

from pullkeeper.domain.ecr.registry_probe import Verdict
from pullkeeper.domain.errors.failures import TOKEN_REASONS, Reason
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.metric_families import FAMILIES, OPERATIONS, Result
from pullkeeper.domain.reporting.state import STATUS_ONLY, State
from pullkeeper.domain.secret.plan import Priority
from testsupport.alert_rules import definitions
from testsupport.name_sources import (
    OBSERVABILITY,
    RUNBOOK,
    alert_expressions,
    dashboard,
    first_column,
    panel_expressions,
    section,
)
from testsupport.promql import SCRAPED, groupings, selections

LABELS = {family.name: set(family.labels) for family in FAMILIES}
PROCESS = {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_start_time_seconds",
}
"""Exported by prometheus_client itself."""
VALUES: dict[str, set[str]] = {
    "state": set(State),
    "operation": set(OPERATIONS),
    "result": {*Result, *Verdict},
    "reason": set(TOKEN_REASONS),
    "priority": set(Priority),
}
"""Labels with a closed set of values."""
EXPRESSIONS = {**alert_expressions(), **panel_expressions()}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_expression_selects_what_is_exported(where: str) -> None:
    """Each metric exists, has the labels that are selected, and these can have the values."""
    expression = EXPRESSIONS[where]
    found = selections(expression)
    assert found
    known: set[str] = set()
    for selection in found:
        labels = LABELS[selection.family] if selection.family not in PROCESS else set()
        known |= labels
        for label, wanted in selection.matchers:
            assert label in labels | SCRAPED, (selection.metric, label)
            if label in VALUES:
                assert set(wanted.split("|")) <= VALUES[label], (selection.metric, label)
    assert groupings(expression) <= known | SCRAPED | {"le"}


@pytest.mark.parametrize("alert", definitions())
def test_an_alerts_description_uses_labels_that_it_has(alert: str) -> None:
    """A missing label would render as an empty string."""
    known = set[str]().union(*(LABELS[each.family] for each in selections(alert_expressions()[alert])))
    used = set(re.findall(r"\$labels\.([a-z_]+)", definitions()[alert]["description"]))
    assert used <= known | SCRAPED


def test_every_metric_is_used() -> None:
    """Each is in an alert or on the dashboard; otherwise nobody would need it."""
    shown = {selection.family for each in EXPRESSIONS.values() for selection in selections(each)}
    assert set(LABELS) - shown == set()


def test_the_alerts_cover_every_reason_of_a_failed_token_request() -> None:
    """Each reason belongs to one alert; those that require action to the one that fires soonest."""
    covering: dict[str, list[str]] = {reason: [] for reason in TOKEN_REASONS}
    for alert, expression in alert_expressions().items():
        for selection in selections(expression):
            for reason in dict(selection.matchers).get("reason", "").split("|"):
                covering.get(reason, []).append(alert)
    assert {reason: len(alerts) for reason, alerts in covering.items()} == dict.fromkeys(TOKEN_REASONS, 1)
    soon = {reason for reason, (alert,) in covering.items() if alert == "PullkeeperTokenRequestFailing"}
    assert soon == {reason for reason in TOKEN_REASONS if reason.requires_action} | {Reason.CREDENTIALS_MISSING}


def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    """The table in docs/observability.md is the list of metrics, in the same order."""
    rows = re.findall(r"^\| `(pullkeeper_[a-z_]+)` \| ([a-z]+) \| ([^|]*)\|", OBSERVABILITY.read_text(), re.MULTILINE)
    written = [(name, kind, tuple(re.findall(r"`([a-z_]+)`", labels))) for name, kind, labels in rows]
    assert written == [(family.name, family.type.value, family.labels) for family in FAMILIES]


def test_every_state_is_documented() -> None:
    """In the order of the enumeration."""
    assert first_column(section(OBSERVABILITY, "States")) == list(State)


def test_every_reason_of_an_event_is_documented() -> None:
    """With its type, and no reason that is never posted."""
    text = section(OBSERVABILITY, "Events")
    assert first_column(text) == list(EventReason)
    kinds = dict(re.findall(r"^\| `([A-Za-z]+)` \| (Normal|Warning) \|", text, re.MULTILINE))
    assert kinds == {reason.value: "Warning" if reason.warning else "Normal" for reason in EventReason}


def test_every_reason_of_a_failure_is_in_the_runbook() -> None:
    """Each has a row that says what to do, and which Event reports it."""
    assert set(first_column(section(RUNBOOK, "Reasons"))) == set(Reason)


def test_every_alert_is_documented_with_its_figures() -> None:
    """The table lists every figure that can be set, with its default."""
    text = section(OBSERVABILITY, "Alerts")
    assert sorted(first_column(text)) == sorted(definitions())
    for name, alert in definitions().items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        figures = {key: str(value) for key, value in alert["defaults"].items() if key not in {"enabled", "severity"}}
        assert dict(re.findall(r"`([a-z]+): ([^`]+)`", line)) == figures
        assert f"| {alert['defaults']['severity']} |" in line


@pytest.mark.parametrize("alert", definitions())
def test_every_alert_has_its_section_in_the_runbook(alert: str) -> None:
    """Under the anchor that its runbook_url names, in the four parts that every runbook has, each with a text."""
    match = re.search(rf"^### {alert}\n(.*?)(?=^#{{1,3}} |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None
    parts = re.findall(r"^#### (.+)\n\n\S", match[1], re.MULTILINE)
    assert parts == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    """Nor do the documents name one anywhere else."""
    named = set(re.findall(r"\bPullkeeper[A-Z][A-Za-z]+", RUNBOOK.read_text() + OBSERVABILITY.read_text()))
    assert named == set(definitions())


def test_the_docs_name_no_metric_that_is_gone() -> None:
    """A query copied from them returns data."""
    found = {each.family for each in selections(RUNBOOK.read_text() + OBSERVABILITY.read_text())}
    assert {family for family in found if family.startswith("pullkeeper_")} <= set(LABELS)


def test_the_dashboard_is_valid() -> None:
    """Panels are unique, do not overlap, have titles, and query the selected data source."""
    panels: list[dict[str, Any]] = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


def test_every_state_of_the_metric_has_a_colour_on_the_dashboard() -> None:
    """The panel of namespaces by state would otherwise give new states colours at random."""
    panels = [panel for panel in dashboard()["panels"] if "by state" in panel["title"].lower()]
    coloured = [each["matcher"]["options"] for panel in panels for each in panel["fieldConfig"]["overrides"]]
    assert sorted(coloured) == sorted(f"/: {state}$/" for state in set(State) - STATUS_ONLY)


def test_the_dashboards_variables_are_used_everywhere() -> None:
    """A selection applies to every panel."""
    assert [each["name"] for each in dashboard()["templating"]["list"]] == ["datasource", "cluster", "namespace", "job"]
    for expression in panel_expressions().values():
        for selection in selections(expression):
            selected = {(name, f"${name}") for name in ("cluster", "namespace", "job")}
            assert selected <= set(selection.matchers)


def test_the_dashboards_variables_say_what_they_ask() -> None:
    """Grafana shows the definition of a variable, and asks by its query."""
    variables = [each for each in dashboard()["templating"]["list"] if each["type"] == "query"]
    assert variables
    assert [each["definition"] for each in variables] == [each["query"]["query"] for each in variables]


def _cells(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]
