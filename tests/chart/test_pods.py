"""Pods: AWS credentials, probes, strategy, scheduling, labels, the test and the cleanup."""

from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.helm import RELEASE, ROLE, Helms, Object, with_role

TOKEN = "/var/run/secrets/pullkeeper.dev/aws/token"
KEYS = "/var/run/secrets/pullkeeper.dev/keys"


def _env(container: Object) -> dict[str, Any]:
    """Return the variables but the one that each container has."""
    found = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert found.pop("PULLKEEPER_CONFIG") == "/etc/pullkeeper/settings.yaml"
    return found


def _names(parts: list[Mapping[str, Any]]) -> list[str]:
    return [each["name"] for each in parts]


def _hook(each: Object) -> str:
    return str(each["metadata"].get("annotations", {}).get("helm.sh/hook", ""))


def _credentials(kind: str, **more: str) -> dict[str, Any]:
    return {"aws": {"credentials": kind, **more}}


def test_web_identity_mounts_a_token_for_aws(helms: Helms) -> None:
    """By default, the pods have a ServiceAccount token whose audience is STS, and the role to assume."""
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


def test_region_and_audience_can_be_set(helms: Helms) -> None:
    """STS of another partition has its own region and audience."""
    rendering = helms.render({"aws": {"roleArn": ROLE, "region": "cn-north-1", "audience": "sts.cn"}})
    assert _env(rendering.container)["AWS_REGION"] == "cn-north-1"
    assert rendering.pod["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "sts.cn"


def test_irsa_annotates_the_service_account(helms: Helms) -> None:
    """The EKS webhook reads the annotation and mounts the token."""
    values = _credentials("irsa", roleArn=ROLE) | {"serviceAccount": {"annotations": {"a": "b"}}}
    rendering = helms.render(values)
    annotations = rendering.one("ServiceAccount")["metadata"]["annotations"]
    assert annotations == {"a": "b", "eks.amazonaws.com/role-arn": ROLE}
    assert _env(rendering.container) == {}
    assert _names(rendering.pod["volumes"]) == ["settings"]


def test_access_keys_are_mounted_as_a_file(helms: Helms) -> None:
    """As a folder, since a variable or a subPath is never updated; other keys of the Secret stay out."""
    rendering = helms.render(_credentials("secret", existingSecret="keys"))
    assert _env(rendering.container) == {"AWS_SHARED_CREDENTIALS_FILE": f"{KEYS}/credentials"}
    assert {"name": "aws-keys", "mountPath": KEYS, "readOnly": True} in rendering.container["volumeMounts"]
    items = [{"key": "credentials", "path": "credentials"}]
    assert {"name": "aws-keys", "secret": {"secretName": "keys", "items": items}} in rendering.pod["volumes"]


@pytest.mark.parametrize("kind", ["podIdentity", "nodeRole", "custom"])
def test_other_credentials_add_nothing(helms: Helms, kind: str) -> None:
    """The chart sets no AWS variables and mounts no token."""
    more = {"podLabels": {"a": "b"}}
    rendering = helms.render(_credentials(kind) | more)
    assert _env(rendering.container) == {}
    assert _names(rendering.pod["volumes"]) == ["settings"]


def test_helm_test_runs_with_the_controllers_identity(helms: Helms) -> None:
    """Its pod has the controller's image, ServiceAccount, environment and volumes; it goes when it has succeeded."""
    more = {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}], "image": {"tag": "1"}}
    rendering = helms.render(with_role(**more))
    pod = rendering.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    (check,) = pod["spec"]["containers"]
    for key in ("image", "command", "env", "volumeMounts", "securityContext"):
        assert check[key] == rendering.container[key]
    for key in ("serviceAccountName", "volumes", "securityContext"):
        assert pod["spec"][key] == rendering.pod[key]
    assert check["args"] == ["check", "--verbose", "--config", "/etc/pullkeeper/settings.yaml"]
    assert pod["spec"]["restartPolicy"] == "Never"


def test_the_cleanup_runs_before_the_release_is_deleted(helms: Helms) -> None:
    """One Job, with the controller's own rights and settings, which takes the Lease; it needs nothing else to exist."""
    rendering = helms.render(with_role(cleanup={"onUninstall": True}))
    (part,) = (each for each in rendering.objects if each["metadata"]["name"] == f"{RELEASE}-cleanup")
    assert part["kind"] == "Job"
    assert _hook(part) == "pre-delete"
    assert part["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    spec = part["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] + container["args"] == [
        "pullkeeper",
        "cleanup",
        "--config",
        "/etc/pullkeeper/settings.yaml",
        "--take-lease",
    ]
    assert spec["serviceAccountName"] == rendering.pod["serviceAccountName"]
    assert spec["volumes"] == [{"name": "settings", "configMap": {"name": RELEASE}}]


def test_pull_secrets_remain_by_default(helms: Helms) -> None:
    """Without `cleanup.onUninstall` the only hook of an uninstall deletes the Lease."""
    rendering = helms.render(with_role())
    hooks = [each for each in rendering.objects if "-delete" in _hook(each)]
    assert [each["kind"] for each in hooks] == ["Lease"]


def test_the_lease_is_deleted_after_the_release(helms: Helms) -> None:
    """A hook of its name replaces it and is deleted; without leader election there is none."""
    lease = helms.render(with_role()).one("Lease")
    assert lease["metadata"]["name"] == helms.render(with_role()).settings["leaseName"]
    assert lease["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    assert "spec" not in lease
    assert not helms.render(with_role(replicas=1, leaderElection=False)).all("Lease")


def test_service_account_tokens_are_mounted_only_where_needed(helms: Helms) -> None:
    """The ServiceAccount does not mount its token by default; the chart's pods request it."""
    rendering = helms.render(with_role())
    assert rendering.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendering.pod["automountServiceAccountToken"] is True


def test_services_do_not_set_environment_variables(helms: Helms) -> None:
    """A Service named pullkeeper would set `PULLKEEPER_…` variables, which the controller reads as settings."""
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
def test_two_controllers_run_at_once_only_with_leader_election(
    helms: Helms, values: Mapping[str, Any], expected: object
) -> None:
    """With it the new pod starts first; without it the old pod stops first."""
    assert helms.render(with_role(**values)).one("Deployment")["spec"]["strategy"] == expected


def test_probes_use_the_right_endpoints(helms: Helms) -> None:
    """Liveness is /healthz, readiness /readyz, and startup may take two minutes."""
    container = helms.render(with_role(settings={"httpPort": 9090})).container
    paths = {key: container[f"{key}Probe"]["httpGet"] for key in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/healthz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
    }
    assert container["ports"] == [{"name": "http", "containerPort": 9090}]
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] == 120


def test_replicas_are_spread_over_nodes_if_possible(helms: Helms) -> None:
    """The constraint counts the controller's pods only."""
    rendering = helms.render(with_role())
    (constraint,) = rendering.pod["topologySpreadConstraints"]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    assert constraint["labelSelector"] == rendering.one("Deployment")["spec"]["selector"]


def test_selectors_match_the_controller_only(helms: Helms) -> None:
    """Service, PodDisruptionBudget and the first NetworkPolicy select neither the test pod nor the cleanup pod."""
    rendering = helms.render(with_role(networkPolicy={"enabled": True}, cleanup={"onUninstall": True}))
    spec = {kind: rendering.one(kind)["spec"] for kind in ("Deployment", "Service", "PodDisruptionBudget")}
    policy, _ = rendering.all("NetworkPolicy")
    selector = spec["Deployment"]["selector"]["matchLabels"]
    assert spec["Service"]["selector"] == selector
    assert spec["PodDisruptionBudget"]["selector"]["matchLabels"] == selector
    assert policy["spec"]["podSelector"]["matchLabels"] == selector
    assert selector.items() <= spec["Deployment"]["template"]["metadata"]["labels"].items()
    others = (rendering.one("Pod")["metadata"], rendering.one("Job")["spec"]["template"]["metadata"])
    assert not any(selector.items() <= metadata["labels"].items() for metadata in others)


def test_common_labels_cannot_break_the_selector(helms: Helms) -> None:
    """The chart's own labels take precedence."""
    labels = {"app.kubernetes.io/name": "other", "team": "platform"}
    deployment = helms.render(with_role(commonLabels=labels, podLabels=labels)).one("Deployment")
    found = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= found.items()
    assert found["team"] == "platform"


def test_labels_of_one_kind_of_objects_count_more_than_common_ones(helms: Helms) -> None:
    """The sidecar finds the dashboard, and a team its pods, whatever all objects are labelled with."""
    common = {"grafana_dashboard": "no", "team": "platform"}
    rendering = helms.render(
        with_role(
            commonLabels=common, podLabels={"team": "a"}, deploymentLabels={"team": "b"}, dashboard={"enabled": True}
        )
    )
    (dashboard,) = [each for each in rendering.all("ConfigMap") if each["metadata"]["name"].endswith("-dashboard")]
    assert dashboard["metadata"]["labels"].items() >= {"grafana_dashboard": "1", "team": "platform"}.items()
    assert rendering.one("Deployment")["metadata"]["labels"]["team"] == "b"
    assert rendering.one("Deployment")["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    assert rendering.one("ServiceAccount")["metadata"]["labels"]["team"] == "platform"


def test_the_digest_takes_precedence_over_the_tag(helms: Helms) -> None:
    """Then comes the tag, and without one the chart's appVersion."""
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "example.com:5000/a/pullkeeper"}
    images = [
        helms.render(with_role(image=image | more)).container["image"]
        for more in ({}, {"tag": "1.2"}, {"tag": "1.2", "digest": digest})
    ]
    assert images == [f"example.com:5000/a/pullkeeper{suffix}" for suffix in (":0.1.0", ":1.2", f"@{digest}")]


def test_a_single_replica_has_no_disruption_budget(helms: Helms) -> None:
    """It would block every drain of its node."""
    assert not helms.render(with_role(replicas=1)).all("PodDisruptionBudget")
    budget = helms.render(with_role(replicas=2)).one("PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    fewest = helms.render(with_role(podDisruptionBudget={"minAvailable": 1})).one("PodDisruptionBudget")["spec"]
    assert (fewest["minAvailable"], "maxUnavailable" in fewest) == (1, False)


def test_the_namespace_override_applies_to_all_objects(helms: Helms) -> None:
    """And to the subjects of the bindings."""
    values = with_role(namespaceOverride="platform", networkPolicy={"enabled": True}, serviceMonitor={"enabled": True})
    rendering = helms.render(values)
    found = {each["metadata"].get("namespace", "platform") for each in rendering.objects}
    subjects = {each["subjects"][0]["namespace"] for each in rendering.all("ClusterRoleBinding")}
    assert found | subjects == {"platform"}


def test_extra_objects_are_templates(helms: Helms) -> None:
    """Whether they are maps or strings; each is rendered separately."""
    config = {"apiVersion": "v1", "kind": "ConfigMap"}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-second\n"
    extra = [{**config, "metadata": {"name": "{{ .Release.Name }}-first"}}, text]
    rendering = helms.render(with_role(extraObjects=extra))
    names = {each["metadata"]["name"] for each in rendering.all("ConfigMap")}
    assert names == {RELEASE, f"{RELEASE}-first", f"{RELEASE}-second"}
