"""Code, alerts, dashboard and docs agree: what is renamed is renamed everywhere."""

import re
from typing import Any

import pytest

from pullkeeper.domain.ecr.registry_probe import Verdict
from pullkeeper.domain.errors.failures import TOKEN_REASONS, Reason
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.metric_families import FAMILIES, OPERATIONS, Result
from pullkeeper.domain.reporting.state import State
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
"""prometheus_client's own."""
VALUES: dict[str, set[str]] = {
    "state": set(State),
    "operation": set(OPERATIONS),
    "result": {*Result, *Verdict},
    "reason": set(TOKEN_REASONS),
    "priority": set(Priority),
}
"""The labels whose values are a closed set."""
EXPRESSIONS = {**alert_expressions(), **panel_expressions()}


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_expression_asks_for_what_is_exported(where: str) -> None:
    """Each metric is one of ours or the process's, each label one that it has, each value one that can be."""
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
def test_the_words_of_an_alert_use_labels_that_it_has(alert: str) -> None:
    """A label that is not there would leave a hole in the sentence."""
    known = set[str]().union(*(LABELS[each.family] for each in selections(alert_expressions()[alert])))
    used = set(re.findall(r"\$labels\.([a-z_]+)", definitions()[alert]["description"]))
    assert used <= known | SCRAPED


def test_every_metric_is_looked_at() -> None:
    """One that neither an alert nor the dashboard shows would be kept for nobody."""
    shown = {selection.family for each in EXPRESSIONS.values() for selection in selections(each)}
    assert set(LABELS) - shown == set()


def test_the_alerts_cover_every_reason_for_which_a_token_cannot_be_had() -> None:
    """Each reason belongs to one alert; those that somebody has to mend are told soon."""
    covering: dict[str, list[str]] = {reason: [] for reason in TOKEN_REASONS}
    for alert, expression in alert_expressions().items():
        for selection in selections(expression):
            for reason in dict(selection.matchers).get("reason", "").split("|"):
                covering.get(reason, []).append(alert)
    assert {reason: len(alerts) for reason, alerts in covering.items()} == dict.fromkeys(TOKEN_REASONS, 1)
    soon = {reason for reason, (alert,) in covering.items() if alert == "PullkeeperTokenRequestFailing"}
    assert soon == {reason for reason in TOKEN_REASONS if reason.requires_action} | {Reason.CREDENTIALS_MISSING}


def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    """The table in docs/observability.md is the list of metrics, line by line."""
    rows = re.findall(r"^\| `(pullkeeper_[a-z_]+)` \| ([a-z]+) \| ([^|]*)\|", OBSERVABILITY.read_text(), re.MULTILINE)
    written = [(name, kind, tuple(re.findall(r"`([a-z_]+)`", labels))) for name, kind, labels in rows]
    assert written == [(family.name, family.type.value, family.labels) for family in FAMILIES]


def test_every_state_is_documented() -> None:
    """In the order in which they are counted."""
    assert first_column(section(OBSERVABILITY, "States")) == list(State)


def test_every_reason_of_an_event_is_documented() -> None:
    """With its type, and nothing that is never posted."""
    text = section(OBSERVABILITY, "Events")
    assert first_column(text) == list(EventReason)
    kinds = dict(re.findall(r"^\| `([A-Za-z]+)` \| (Normal|Warning) \|", text, re.MULTILINE))
    assert kinds == {reason.value: "Warning" if reason.warning else "Normal" for reason in EventReason}


def test_every_reason_of_a_failure_is_in_the_runbook() -> None:
    """Each has a line that says what to do, and the Event that tells of it."""
    assert set(first_column(section(RUNBOOK, "Reasons"))) == set(Reason)


def test_every_alert_is_documented_with_its_figures() -> None:
    """The table shows what can be set and what it is, unless somebody sets it."""
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
    """Nor do the docs name one anywhere."""
    named = set(re.findall(r"\bPullkeeper[A-Z][A-Za-z]+", RUNBOOK.read_text() + OBSERVABILITY.read_text()))
    assert named == set(definitions())


def test_the_docs_name_no_metric_that_is_gone() -> None:
    """Whoever copies a line from them gets an answer."""
    found = {each.family for each in selections(RUNBOOK.read_text() + OBSERVABILITY.read_text())}
    assert {family for family in found if family.startswith("pullkeeper_")} <= set(LABELS)


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """No panel twice or on top of another, every query against the chosen data source, all of it titled."""
    panels: list[dict[str, Any]] = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


def test_the_dashboards_variables_are_used_everywhere() -> None:
    """What one chooses above holds for every panel."""
    assert [each["name"] for each in dashboard()["templating"]["list"]] == ["datasource", "namespace", "job"]
    for expression in panel_expressions().values():
        for selection in selections(expression):
            assert {("namespace", "$namespace"), ("job", "$job")} <= set(selection.matchers)


def _cells(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]
