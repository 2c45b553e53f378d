"""One Prometheus for several clusters and installations: panels and alerts keep them apart, and tell which is meant."""

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.alerts import fleet
from tests.alerts.fleet import ALL, FLEET, HISTORY, Member
from tests.alerts.prometheus import Prometheus, serve
from testsupport.alert_rules import rules
from testsupport.name_sources import dashboard, panel_expressions
from testsupport.prometheus_tools import Tools

Labels = frozenset[tuple[str, str]]
BEGIN = int(time.time()) - HISTORY - 600
NOW = BEGIN + HISTORY
(BROKEN,) = (member for member in FLEET if member.broken)
FAILURES_ONLY = {"Token request errors A", "Failed writes A"}
"""Panels that show nothing of an installation that is well."""
LEADERS_ONLY = {"Leader A", "Heartbeat A"}
"""Panels that show nothing of one without a leader, as the broken one is."""
EVERYWHERE = 'namespace=~".+"'
"""The selector of rules for a whole fleet; the chart's is one installation's namespace."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Serve what the fleet's last two hours have left."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet.write(tools, folder, BEGIN)
    async with serve(tools, folder / "prometheus", "groups: []", data=folder / "data") as running:
        yield running


async def _result(prometheus: Prometheus, expression: str) -> dict[Labels, float]:
    found = await prometheus.query(expression, at=NOW)
    return {frozenset(each["metric"].items()): float(each["value"][1]) for each in found}


def _of(expression: str, selection: Mapping[str, str]) -> str:
    for name, value in {**selection, "$__rate_interval": "15m"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def _members(found: Iterable[Labels]) -> list[Member]:
    """Return the installations that results name; each has to name one."""
    members = [[member for member in FLEET if member.labels.items() <= labels] for labels in found]
    assert all(members), f"{found} do not say which installation is meant"
    return [member for (member,) in members]


@pytest.mark.parametrize("panel", sorted(panel_expressions()))
async def test_a_panel_shows_each_installation_as_if_it_were_alone(prometheus: Prometheus, panel: str) -> None:
    """What all of them show together is what each shows by itself, and bears its cluster and installation."""
    expression = panel_expressions()[panel]
    alone = [await _result(prometheus, _of(expression, member.selection)) for member in FLEET]
    for member, found in zip(FLEET, alone, strict=True):
        assert set(_members(found)) <= {member}, "something of another installation is shown"
        hidden = panel in (LEADERS_ONLY if member.broken else FAILURES_ONLY)
        assert bool(found) is not hidden, f"{found} of {member}"
    together = await _result(prometheus, _of(expression, ALL))
    assert together == pytest.approx({labels: value for found in alone for labels, value in found.items()})


@pytest.mark.parametrize("cluster", ["a", "b"])
async def test_each_variable_selects(prometheus: Prometheus, cluster: str) -> None:
    """One cluster with all its installations, or one namespace in all clusters."""
    expression = panel_expressions()["Namespaces by state A"]
    found = await _result(prometheus, _of(expression, {**ALL, "$cluster": cluster}))
    assert {(member.cluster, member.job) for member in _members(found)} == {
        (cluster, "pullkeeper"),
        (cluster, "canary"),
    }
    found = await _result(prometheus, _of(expression, {**ALL, "$namespace": "canary"}))
    assert {(member.cluster, member.job) for member in _members(found)} == {("a", "canary"), ("b", "canary")}


def test_each_series_is_called_by_its_cluster_and_installation() -> None:
    """Two lines of one name would be one to the reader."""
    targets: list[dict[str, Any]] = [each for panel in dashboard()["panels"] for each in panel.get("targets", ())]
    for target in targets:
        legend = target["legendFormat"]
        assert legend == "__auto" or {"{{cluster}}", "{{namespace}}", "{{job}}"} <= set(legend.replace(":", "").split())


@pytest.mark.parametrize("rule", rules(selector=EVERYWHERE), ids=lambda rule: str(rule["alert"]))
async def test_an_alert_is_about_the_installation_that_has_the_problem(
    prometheus: Prometheus, rule: Mapping[str, Any]
) -> None:
    """All is wrong with one of them, and nothing with the others, whose names are partly the same."""
    found = await _result(prometheus, str(rule["expr"]))
    assert set(_members(found)) == {BROKEN}


@pytest.mark.parametrize("rule", rules(selector='namespace="canary"'), ids=lambda rule: str(rule["alert"]))
async def test_a_releases_own_rules_keep_clusters_apart(prometheus: Prometheus, rule: Mapping[str, Any]) -> None:
    """The same release is in both clusters, and well in one."""
    assert set(_members(await _result(prometheus, str(rule["expr"])))) == {BROKEN}
