"""Monitors, alerts, dashboard and NetworkPolicy.

kubernetes-validate has no schemas for the kinds of the Prometheus Operator, so these tests compare every field.
"""

import json
from typing import Any

import pytest

from testsupport.alert_rules import rules
from testsupport.helm import CHART, NAMESPACE, RELEASE, ROLE, Helms, with_role

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


@pytest.mark.parametrize(
    ("value", "kind", "endpoints"),
    [("serviceMonitor", "ServiceMonitor", "endpoints"), ("podMonitor", "PodMonitor", "podMetricsEndpoints")],
)
def test_a_monitor_selects_the_metrics_endpoint(helms: Helms, value: str, kind: str, endpoints: str) -> None:
    """In the release's namespace, by port name, with the configured labels and relabelings, wherever it is itself."""
    given = {"enabled": True, "additionalLabels": {"release": "prometheus"}, "interval": "30s", "scrapeTimeout": "5s"}
    given |= {"namespace": "monitoring", "annotations": {"team": "platform"}, "honorLabels": True}
    rules = {
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "regex": "x"}],
    }
    rendering = helms.render(with_role(**{value: given | rules}))
    monitor = rendering.one(kind)
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["annotations"] == {"team": "platform"}
    assert monitor["spec"] == {
        "selector": {"matchLabels": rendering.one("Deployment")["spec"]["selector"]["matchLabels"]},
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        endpoints: [
            {
                "port": "http",
                "path": "/metrics",
                "honorLabels": True,
                "interval": "30s",
                "scrapeTimeout": "5s",
                **rules,
            }
        ],
    }
    plain = helms.render(with_role(**{value: {"enabled": True}})).one(kind)
    assert plain["metadata"]["namespace"] == NAMESPACE
    assert "annotations" not in plain["metadata"]
    assert plain["spec"][endpoints] == [{"port": "http", "path": "/metrics"}]


def test_the_service_matches_its_monitor(helms: Helms) -> None:
    """A ServiceMonitor selects Services by label and ports by name."""
    rendering = helms.render(with_role(serviceMonitor={"enabled": True}, service={"port": 80}))
    service, monitor = rendering.one("Service"), rendering.one("ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    assert rendering.container["ports"][0]["name"] == "http"


def test_there_is_no_monitor_by_default(helms: Helms) -> None:
    """A cluster without the Prometheus Operator would reject the whole release."""
    kinds = {each["kind"] for each in helms.render(with_role()).objects}
    assert not kinds & {"ServiceMonitor", "PodMonitor", "NetworkPolicy"}


def _ports(*numbers: int) -> dict[str, Any]:
    return {"ports": [{"port": number, "protocol": "TCP"} for number in numbers]}


def _policy(helms: Helms, **values: Any) -> dict[str, Any]:
    found = helms.render({"aws": {"roleArn": ROLE}, **values}).all("NetworkPolicy")
    assert [each["metadata"]["name"] for each in found] == [RELEASE, f"{RELEASE}-hooks"]
    return dict(found[0]["spec"])


def test_the_network_policy_allows_what_the_controller_connects_to(helms: Helms) -> None:
    """Egress: DNS, the API server and port 443 for AWS. Ingress: the metrics, for pods of the cluster. Nothing else."""
    spec = _policy(helms, networkPolicy={"enabled": True})
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [DNS, _ports(443, 6443)]
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}], "from": [{"namespaceSelector": {}}]}]
    anybody = _policy(helms, networkPolicy={"enabled": True, "metricsFrom": []})
    assert anybody["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("values", "components"),
    [
        ({}, ["test"]),
        ({"cleanup": {"onUninstall": True}}, ["test", "cleanup"]),
        ({"cleanup": {"onUninstall": True}, "tests": {"enabled": False}}, ["cleanup"]),
        ({"tests": {"enabled": False}}, []),
    ],
)
def test_the_pods_of_hooks_have_a_policy_too(helms: Helms, values: dict[str, Any], components: list[str]) -> None:
    """In a namespace whose default denies everything they would reach nobody; nobody needs to reach them."""
    given = {"enabled": True, "extraEgress": [_ports(3128)]}
    rendering = helms.render({"aws": {"credentials": "podIdentity"}, "networkPolicy": given, **values})
    own, *hooks = (each["spec"] for each in rendering.all("NetworkPolicy"))
    assert [each["podSelector"]["matchExpressions"][0]["values"] for each in hooks] == [components] * bool(components)
    pods = [each["metadata"] for each in rendering.all("Pod")]
    pods += [each["spec"]["template"]["metadata"] for each in rendering.all("Job")]
    assert {pod["labels"]["app.kubernetes.io/component"] for pod in pods} == set(components)
    for spec in hooks:
        assert spec["egress"] == own["egress"]
        assert (spec["ingress"], spec["policyTypes"]) == ([], ["Ingress", "Egress"])
        assert all(spec["podSelector"]["matchLabels"].items() <= pod["labels"].items() for pod in pods)


@pytest.mark.parametrize(
    ("credentials", "addresses"),
    [
        ("podIdentity", ["169.254.170.23/32", "fd00:ec2::23/128"]),
        ("nodeRole", ["169.254.169.254/32", "fd00:ec2::254/128"]),
    ],
)
def test_the_network_policy_allows_the_credentials_endpoint(
    helms: Helms, credentials: str, addresses: list[str]
) -> None:
    """The Pod Identity agent and the instance metadata service are on the node, over plain HTTP."""
    spec = _policy(helms, aws={"credentials": credentials}, networkPolicy={"enabled": True})
    peers = [{"ipBlock": {"cidr": address}} for address in addresses]
    assert spec["egress"][2] == {"to": peers, **_ports(80)}


def test_the_network_policy_can_be_adapted(helms: Helms) -> None:
    """Metrics can be limited to peers, rules can be added, and port 443 appears once."""
    peers: list[dict[str, Any]] = [{"podSelector": {}}]
    more = [{"ports": [{"port": 3128, "protocol": "TCP"}]}]
    policy = {"enabled": True, "apiServerPorts": [443], "metricsFrom": peers, "extraEgress": more, "extraIngress": more}
    spec = _policy(helms, networkPolicy=policy)
    assert spec["egress"] == [DNS, _ports(443), *more]
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}], "from": peers}, *more]


def test_alerts_depend_on_the_crd_by_default(helms: Helms) -> None:
    """Without the CRD there are none; labels and single thresholds can be set."""
    given = {"additionalLabels": {"release": "prometheus"}, "alerts": {"PullkeeperAbsent": {"for": "1m"}}}
    assert helms.render(with_role()).all("PrometheusRule") == []
    rule = helms.render(with_role(prometheusRule={**given, "enabled": True})).one("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    rendered = {each["alert"]: each for each in rule["spec"]["groups"][0]["rules"]}
    changed = rules({"PullkeeperAbsent": {"for": "1m"}}, selector=f'namespace="{NAMESPACE}"')
    assert rendered == {each["alert"]: each for each in changed}


def test_the_dashboard_has_the_label_of_grafanas_sidecar(helms: Helms) -> None:
    """The ConfigMap contains the dashboard in the chart."""
    assert helms.render(with_role()).all("ConfigMap") == [helms.render(with_role()).one("ConfigMap")]
    found = helms.render(with_role(dashboard={"enabled": True, "namespace": "monitoring"})).all("ConfigMap")
    (dashboard,) = [each for each in found if each["metadata"]["name"].endswith("-dashboard")]
    assert dashboard["metadata"]["namespace"] == "monitoring"
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    written = json.loads((CHART / "dashboards" / "pullkeeper.json").read_text())
    assert json.loads(dashboard["data"]["pullkeeper.json"]) == written
