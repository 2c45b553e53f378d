"""What the pods get, by where the AWS identity comes from and by whether there is a Lease."""

from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.helm import RELEASE, ROLE, Helms, Object, with_role

TOKEN = "/var/run/secrets/pullkeeper.dev/aws/token"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _env(container: Object) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def _names(parts: list[Mapping[str, Any]]) -> list[str]:
    return [each["name"] for each in parts]


def _credentials(kind: str, **more: str) -> dict[str, Any]:
    return {"aws": {"credentials": kind, **more}}


def test_web_identity_mounts_a_token_for_aws_alone(helms: Helms) -> None:
    """By default STS gets a token of the ServiceAccount that is good for nothing else, and the role to take."""
    rendering = helms.render(with_role())
    (volume,) = (each for each in rendering.pod["volumes"] if each["name"] == "aws-token")
    assert volume["projected"] == {
        "sources": [
            {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}}
        ]
    }
    assert {"name": "aws-token", "mountPath": TOKEN.rpartition("/")[0], "readOnly": True} in rendering.container[
        "volumeMounts"
    ]
    assert _env(rendering.container) == {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN,
        "AWS_ROLE_SESSION_NAME": "pullkeeper",
    }


def test_a_region_and_an_audience_can_be_named(helms: Helms) -> None:
    """STS of another partition has its own region and audience."""
    rendering = helms.render({"aws": {"roleArn": ROLE, "region": "cn-north-1", "audience": "sts.cn"}})
    assert _env(rendering.container)["AWS_REGION"] == "cn-north-1"
    assert rendering.pod["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "sts.cn"


def test_irsa_annotates_the_service_account(helms: Helms) -> None:
    """EKS' webhook reads the role there, beside whatever else is annotated, and does the rest."""
    values = _credentials("irsa", roleArn=ROLE) | {"serviceAccount": {"annotations": {"a": "b"}}}
    rendering = helms.render(values)
    annotations = rendering.one("ServiceAccount")["metadata"]["annotations"]
    assert annotations == {"a": "b", "eks.amazonaws.com/role-arn": ROLE}
    assert _env(rendering.container) == {}
    assert _names(rendering.pod["volumes"]) == ["settings"]


def test_keys_come_from_the_secret_one_by_one(helms: Helms) -> None:
    """Just the keys that botocore knows are taken: whatever else is in the Secret reaches no variable."""
    container = helms.render(_credentials("secret", existingSecret="keys")).container
    assert _env(container) == {
        key: {"secretKeyRef": {"name": "keys", "key": key, "optional": key == "AWS_SESSION_TOKEN"}} for key in KEYS
    }
    assert "envFrom" not in container


@pytest.mark.parametrize("kind", ["podIdentity", "nodeRole", "custom"])
def test_others_bring_their_own(helms: Helms, kind: str) -> None:
    """Where the credentials come from elsewhere, the chart sets no variable and mounts no token for AWS."""
    rendering = helms.render(_credentials(kind))
    assert _env(rendering.container) == {}
    assert _names(rendering.pod["volumes"]) == ["settings"]


def test_helm_test_asks_with_the_same_eyes(helms: Helms) -> None:
    """The test's pod checks what the controller has: its image, ServiceAccount, environment, mounts and volumes."""
    more = {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], "image": {"tag": "1"}}
    rendering = helms.render(with_role(**more))
    pod = rendering.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (check,) = pod["spec"]["containers"]
    for key in ("image", "command", "env", "volumeMounts", "securityContext"):
        assert check[key] == rendering.container[key]
    for key in ("serviceAccountName", "volumes", "securityContext"):
        assert pod["spec"][key] == rendering.pod[key]
    assert check["args"] == ["check", "--config", "/etc/pullkeeper/settings.yaml"]
    assert pod["spec"]["restartPolicy"] == "Never"


def test_the_cleanup_runs_when_the_release_is_gone(helms: Helms) -> None:
    """Everything that it needs is a hook after the deletion, made before its Job, and gone when it has succeeded."""
    rendering = helms.render(with_role(cleanup={"onUninstall": True}))
    parts = [each for each in rendering.objects if each["metadata"]["name"] == f"{RELEASE}-cleanup"]
    assert sorted(each["kind"] for each in parts) == sorted(
        ["ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding", "Job"]
    )
    for part in parts:
        annotations = part["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "post-delete"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert int(annotations.get("helm.sh/hook-weight", 0)) == (0 if part["kind"] == "Job" else -1)
    spec = rendering.one("Job")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] + container["args"] == [
        "pullkeeper",
        "cleanup",
        "--config",
        "/etc/pullkeeper/settings.yaml",
    ]
    assert spec["serviceAccountName"] == f"{RELEASE}-cleanup"
    assert spec["volumes"] == [{"name": "settings", "configMap": {"name": f"{RELEASE}-cleanup"}}]
    configs = {each["metadata"]["name"]: each["data"] for each in rendering.all("ConfigMap")}
    assert configs[f"{RELEASE}-cleanup"] == configs[RELEASE]


def test_secrets_stay_by_default(helms: Helms) -> None:
    """Without `cleanup.onUninstall` nothing runs at the deletion."""
    assert "post-delete" not in helms.render(with_role()).text


def test_tokens_are_asked_for_where_they_are_used(helms: Helms) -> None:
    """A pod that just happens to use the ServiceAccount gets no token; the chart's own ask for theirs."""
    rendering = helms.render(with_role())
    assert rendering.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendering.pod["automountServiceAccountToken"] is True


def test_no_service_speaks_for_the_settings(helms: Helms) -> None:
    """A Service named pullkeeper would give every pod variables `PULLKEEPER_…`, which is what settings go by."""
    assert helms.render(with_role()).pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        ({"replicas": 1}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        ({"replicas": 1, "leaderElection": False}, {"type": "Recreate"}),
        ({"deploymentStrategy": {"type": "Recreate"}}, {"type": "Recreate"}),
    ],
)
def test_controllers_overlap_only_with_a_lease(helms: Helms, values: Mapping[str, Any], expected: object) -> None:
    """With a Lease the new pod is ready before the old one goes; without one the old one goes first."""
    assert helms.render(with_role(**values)).one("Deployment")["spec"]["strategy"] == expected


def test_the_probes_ask_what_they_are_for(helms: Helms) -> None:
    """Alive is /healthz, ready is /readyz, and the start may take two minutes."""
    container = helms.render(with_role(settings={"httpPort": 9090})).container
    paths = {key: container[f"{key}Probe"]["httpGet"] for key in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }
    assert container["ports"] == [{"name": "http", "containerPort": 9090}]
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] == 120


def test_replicas_are_spread_softly(helms: Helms) -> None:
    """The controllers go to different nodes where that is possible, counting only themselves."""
    rendering = helms.render(with_role())
    (constraint,) = rendering.pod["topologySpreadConstraints"]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    assert constraint["labelSelector"] == rendering.one("Deployment")["spec"]["selector"]


def test_everything_that_selects_selects_the_controller_alone(helms: Helms) -> None:
    """Service, budget and policy find the controller's pods, and neither the test's nor the cleanup's."""
    rendering = helms.render(with_role(networkPolicy={"enabled": True}, cleanup={"onUninstall": True}))
    spec = {
        kind: rendering.one(kind)["spec"] for kind in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy")
    }
    selector = spec["Deployment"]["selector"]["matchLabels"]
    assert spec["Service"]["selector"] == selector
    assert spec["PodDisruptionBudget"]["selector"]["matchLabels"] == selector
    assert spec["NetworkPolicy"]["podSelector"]["matchLabels"] == selector
    assert selector.items() <= spec["Deployment"]["template"]["metadata"]["labels"].items()
    others = (rendering.one("Pod")["metadata"], rendering.one("Job")["spec"]["template"]["metadata"])
    assert not any(selector.items() <= metadata["labels"].items() for metadata in others)


def test_a_label_of_all_cannot_break_the_selector(helms: Helms) -> None:
    """Common labels stand beside the chart's own, which win."""
    labels = {"app.kubernetes.io/name": "other", "team": "platform"}
    deployment = helms.render(with_role(commonLabels=labels, podLabels=labels)).one("Deployment")
    found = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= found.items()
    assert found["team"] == "platform"


def test_a_digest_goes_before_the_tag(helms: Helms) -> None:
    """Where a digest is given, it is what counts; otherwise the tag, and without one the chart's appVersion."""
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "example.com:5000/a/pullkeeper"}
    images = [
        helms.render(with_role(image=image | more)).container["image"]
        for more in ({}, {"tag": "1.2"}, {"tag": "1.2", "digest": digest})
    ]
    assert images == [f"example.com:5000/a/pullkeeper{suffix}" for suffix in (":0.1.0", ":1.2", f"@{digest}")]


def test_a_budget_is_for_more_than_one(helms: Helms) -> None:
    """A budget of one replica would block every drain of its node."""
    assert not helms.render(with_role(replicas=1)).all("PodDisruptionBudget")
    budget = helms.render(with_role(replicas=2)).one("PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    fewest = helms.render(with_role(podDisruptionBudget={"minAvailable": 1})).one("PodDisruptionBudget")["spec"]
    assert (fewest["minAvailable"], "maxUnavailable" in fewest) == (1, False)


def test_everything_is_in_one_namespace(helms: Helms) -> None:
    """`namespaceOverride` moves every object, and the bindings' subjects with them."""
    values = with_role(namespaceOverride="platform", networkPolicy={"enabled": True}, serviceMonitor={"enabled": True})
    rendering = helms.render(values)
    found = {each["metadata"].get("namespace", "platform") for each in rendering.objects}
    subjects = {each["subjects"][0]["namespace"] for each in rendering.all("ClusterRoleBinding")}
    assert found | subjects == {"platform"}


def test_extra_objects_are_filled_in_one_by_one(helms: Helms) -> None:
    """Objects and texts of objects are templates, and each one is an object of its own."""
    config = {"apiVersion": "v1", "kind": "ConfigMap"}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-second\n"
    extra = [{**config, "metadata": {"name": "{{ .Release.Name }}-first"}}, text]
    rendering = helms.render(with_role(extraObjects=extra))
    names = {each["metadata"]["name"] for each in rendering.all("ConfigMap")}
    assert names == {RELEASE, f"{RELEASE}-first", f"{RELEASE}-second"}
