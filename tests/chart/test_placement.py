"""Where and how the pods run: nodes, network, DNS, runtime; the Deployment around them."""

from typing import Any

import pytest

from testsupport.helm import Helms, Rendering, pods, with_role

HOST = {"ip": "10.0.0.1", "hostnames": ["sts.internal"]}


def _specs(rendering: Rendering) -> list[Any]:
    found = [spec for _, spec in pods(rendering)]
    assert len(found) == 3, "the controller, the test and the cleanup"
    return found


def _render(helms: Helms, **values: Any) -> Rendering:
    return helms.render(with_role(cleanup={"onUninstall": True}, **values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"nodeSelector": {"kubernetes.io/os": "linux"}}),
        ({"nodeSelector": {"disk": "ssd"}}, {"nodeSelector": {"kubernetes.io/os": "linux", "disk": "ssd"}}),
        ({"schedulerName": "packer"}, {"schedulerName": "packer"}),
        ({"runtimeClassName": "gvisor"}, {"runtimeClassName": "gvisor"}),
        ({"hostAliases": [HOST]}, {"hostAliases": [HOST]}),
        ({"dnsPolicy": "Default"}, {"dnsPolicy": "Default"}),
        ({"dnsConfig": {"searches": ["corp"]}}, {"dnsConfig": {"searches": ["corp"]}}),
        ({"hostUsers": False}, {"hostUsers": False}),
        ({"hostUsers": True, "hostNetwork": True}, {"hostUsers": True, "hostNetwork": True}),
        ({"hostNetwork": True}, {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}),
        ({"hostNetwork": True, "dnsPolicy": "Default"}, {"hostNetwork": True, "dnsPolicy": "Default"}),
    ],
)
def test_all_pods_run_in_the_same_place(helms: Helms, values: dict[str, Any], expected: dict[str, Any]) -> None:
    """The test would prove nothing from another network or node, and the cleanup has to reach the same API server."""
    for spec in _specs(_render(helms, **values)):
        assert {key: spec.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    "key", ["schedulerName", "runtimeClassName", "hostAliases", "dnsPolicy", "dnsConfig", "hostUsers"]
)
def test_by_default_the_cluster_decides(helms: Helms, key: str) -> None:
    """Nothing is set that was not asked for, and no pod is in the network of its node."""
    for spec in _specs(_render(helms)):
        assert key not in spec
        assert "hostNetwork" not in spec


def test_in_the_network_of_the_node_a_pod_stops_before_its_successor_starts(helms: Helms) -> None:
    """Both need the same port, which can be chosen; a strategy of one's own is left alone."""
    values = {"hostNetwork": True, "settings": {"httpPort": 18080}}
    rendering = _render(helms, **values)
    assert rendering.container["ports"] == [{"name": "http", "containerPort": 18080}]
    assert rendering.settings["httpPort"] == 18080
    strategy = rendering.one("Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    own = {"type": "Recreate"}
    assert _render(helms, **values, deploymentStrategy=own).one("Deployment")["spec"]["strategy"] == own


def test_the_deployment_has_labels_and_annotations_of_its_own(helms: Helms) -> None:
    """They are on the Deployment and not on its pods; the chart's own labels win."""
    labels = {"tier": "infra", "app.kubernetes.io/name": "other"}
    values = {"deploymentLabels": labels, "deploymentAnnotations": {"reloader": "on"}, "revisionHistoryLimit": 0}
    deployment = _render(helms, **values).one("Deployment")
    assert deployment["metadata"]["labels"]["tier"] == "infra"
    assert deployment["metadata"]["labels"]["app.kubernetes.io/name"] == "pullkeeper"
    assert deployment["metadata"]["annotations"] == {"reloader": "on"}
    assert deployment["spec"]["revisionHistoryLimit"] == 0
    pod = deployment["spec"]["template"]["metadata"]
    assert "tier" not in pod["labels"]
    assert "reloader" not in pod["annotations"]


def test_ephemeral_storage_holds_the_logs_that_the_kubelet_keeps(helms: Helms) -> None:
    """Five files of 10 MiB by default; whoever exceeds a limit is evicted, so that is far above."""
    resources = _render(helms).container["resources"]
    assert resources["requests"]["ephemeral-storage"] == "64Mi"
    assert resources["limits"]["ephemeral-storage"] == "512Mi"


def test_the_service_can_have_two_families(helms: Helms) -> None:
    """By default the cluster decides."""
    assert not {"ipFamilyPolicy", "ipFamilies"} & _render(helms).one("Service")["spec"].keys()
    both = {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"]}
    spec = _render(helms, service=both).one("Service")["spec"]
    assert {key: spec[key] for key in both} == both


@pytest.mark.parametrize(("key", "kind"), [("service", "Service"), ("serviceAccount", "ServiceAccount")])
def test_labels_of_one_object(helms: Helms, key: str, kind: str) -> None:
    """The chart's own labels win."""
    labels = {"tier": "infra", "app.kubernetes.io/name": "other"}
    found = _render(helms, **{key: {"labels": labels}}).one(kind)["metadata"]["labels"]
    assert (found["tier"], found["app.kubernetes.io/name"]) == ("infra", "pullkeeper")
