"""The pull Secret in new pods, by the policy as the chart renders it, on a real API server."""

import argparse
import asyncio
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.app.config_loader import parse
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import applied
from testsupport.control_plane.release import Release
from testsupport.control_plane.webhook import Patch, mutating
from testsupport.injected_pods import create_team, pod_spec, pull_secrets
from testsupport.installation import IRELAND, VIRGINIA
from testsupport.rest import STRATEGIC, RestClient
from testsupport.waiting import until

SECRET = f"ecr-{secrets.token_hex(4)}"
ON = {"enabled": "true"}
OURS, OTHERS = f"{IRELAND}/app:1", "docker.io/library/nginx"
OPT_IN = {
    "namespaces": ["auto-*"],
    "namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["none"]}]},
    "exclude": ["auto-not-*"],
}


@pytest.fixture(scope="module")
def _policy(plane: ControlPlane) -> Iterator[None]:
    settings = {
        "secretName": SECRET,
        "registries": [IRELAND],
        "optIn": OPT_IN,
        "excludedNamespaces": ["shut-*", "shut"],
    }
    with applied(plane, "admission-injection.yaml", {"fullnameOverride": SECRET, "settings": settings}):
        yield


@pytest.fixture
async def cluster(_policy: None, api: RestClient) -> RestClient:
    """Give the administrator's client, once the policy is in force."""
    team = await create_team(api, ON)

    async def in_force() -> bool:
        return SECRET in await team.pulls_with(OURS)

    await until(in_force, "the policy to be in force")
    return api


async def test_every_pod_in_the_instant_after_its_namespace_is_injected(cluster: RestClient) -> None:
    """200 of 200, with nothing else running: the annotation is all that it takes, and nothing is waited for."""
    slots = asyncio.Semaphore(8)

    async def create() -> list[str]:
        async with slots:
            return await (await create_team(cluster, ON)).pulls_with(OURS, dry_run=False)

    assert await asyncio.gather(*(create() for _ in range(200))) == [[SECRET]] * 200


@pytest.mark.parametrize(
    ("annotations", "name", "labels", "expected"),
    [
        pytest.param({"enabled": "false"}, "", {}, False, id="opted out"),
        pytest.param({}, "", {}, False, id="says nothing"),
        pytest.param({"enabled": "yes", "colour": "red"}, "", {}, True, id="slips"),
        pytest.param({**ON, "inject": "false"}, "", {}, False, id="declined"),
        pytest.param({**ON, "inject": "true"}, "", {}, True, id="not declined"),
        pytest.param({**ON, "registries": VIRGINIA}, "", {}, False, id="other registries"),
        pytest.param({**ON, "registries": f" {VIRGINIA},\n{IRELAND}"}, "", {}, True, id="several registries"),
        pytest.param({**ON, "registries": f"https://{VIRGINIA}"}, "", {}, True, id="registries that cannot be told"),
        pytest.param({}, "auto-{}", {"tier": "gold"}, True, id="opted in by the settings"),
        pytest.param({}, "auto-{}", {}, True, id="opted in without the label"),
        pytest.param({}, "auto-{}", {"tier": "none"}, False, id="not selected"),
        pytest.param({}, "auto-{}", {f"l{n}": "" for n in range(201)}, False, id="too many labels for a selector"),
        pytest.param(ON, "auto-{}", {f"l{n}": "" for n in range(201)}, True, id="too many labels, and opted in"),
        pytest.param({}, "auto-not-{}", {}, False, id="not opted in by way of exception"),
        pytest.param(ON, "auto-not-{}", {}, True, id="opted in all the same"),
        pytest.param(ON, "shut-{}", {}, False, id="excluded"),
    ],
)
async def test_only_pods_of_namespaces_that_are_opted_in_are_injected(
    cluster: RestClient, annotations: dict[str, str], name: str, labels: dict[str, str], expected: Any
) -> None:
    """By annotation or by the settings, as the controller judges it, but for slips."""
    team = await create_team(cluster, annotations, name=name.format(secrets.token_hex(5)), labels=labels)
    assert await team.pulls_with(OURS) == ([SECRET] if expected else [])
    assert await team.pulls_with(OTHERS) == []


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        IRELAND,
        f"{IRELAND}:443/app",
        f"{IRELAND}.evil.example/app",
        f"docker.io/{IRELAND}/app",
        IRELAND.upper() + "/app",
        f"x{IRELAND}/app",
    ],
)
async def test_an_image_that_only_looks_like_it_needs_no_secret(cluster: RestClient, image: str) -> None:
    """The host is everything before the first slash, in its case and with its port."""
    assert await (await create_team(cluster, ON)).pulls_with(OTHERS, image) == []


async def test_the_secret_comes_beside_those_that_are_there(cluster: RestClient) -> None:
    """The pod's own or its ServiceAccount's, in their order; not twice; and nothing else of the pod is touched."""
    plain, attached = await create_team(cluster, ON), await create_team(cluster, ON, account=["one", "two"])
    own = [{"name": "mine"}]
    assert await plain.pulls_with(OURS, imagePullSecrets=own) == ["mine", SECRET]
    assert await plain.pulls_with(OURS, imagePullSecrets=[]) == [SECRET]
    assert await plain.pulls_with(OURS, imagePullSecrets=[{"name": SECRET}, *own]) == [SECRET, "mine"]
    assert await attached.pulls_with(OURS) == ["one", "two", SECRET]
    assert await attached.pulls_with(OURS, imagePullSecrets=own) == ["mine", SECRET]
    refused = await create_team(cluster, {**ON, "inject": "false"})
    with_it, without = [(await team.ask(OURS)).ok()["spec"] for team in (plain, refused)]
    assert {key for key in with_it if with_it[key] != without.get(key)} - {"volumes", "containers"} == {
        "imagePullSecrets"
    }


async def test_every_kind_of_image_counts(cluster: RestClient) -> None:
    """Of containers, init containers, and volumes with the content of an image."""
    team, one = await create_team(cluster, ON), [{"name": "one", "image": OURS}]
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "models", "image": {"reference": f"{IRELAND}/models@sha256:0"}}]
    assert await team.pulls_with(OTHERS, OURS) == [SECRET]
    assert await team.pulls_with(OTHERS, initContainers=one) == [SECRET]
    assert await team.pulls_with(OTHERS, initContainers=[{**one[0], "restartPolicy": "Always"}]) == [SECRET]
    assert await team.pulls_with(OTHERS, volumes=volumes) == [SECRET]
    assert await team.pulls_with(OTHERS, volumes=volumes[:1]) == []


def _sidecar(_: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": OURS}}]


def _mirrored(_: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "/spec/containers/0/image", "value": OURS}]


def _secrets_replaced(_: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "add", "path": "/spec/imagePullSecrets", "value": [{"name": "theirs"}]}]


def _secrets_reversed(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "/spec/imagePullSecrets", "value": pod["spec"]["imagePullSecrets"][::-1]}]


@pytest.mark.parametrize(
    ("patch", "image", "expected"),
    [
        pytest.param(_sidecar, OTHERS, ["mine", SECRET], id="a sidecar of ours beside another image"),
        pytest.param(_sidecar, OURS, ["mine", SECRET], id="a sidecar of ours beside another of ours"),
        pytest.param(_mirrored, OTHERS, ["mine", SECRET], id="an image that comes from a mirror of ours"),
        pytest.param(_secrets_replaced, OURS, ["theirs", SECRET], id="the Secrets replaced"),
        pytest.param(_secrets_replaced, OTHERS, ["theirs"], id="the Secrets of another image replaced"),
        pytest.param(_secrets_reversed, OURS, [SECRET, "mine"], id="the Secrets in another order"),
    ],
)
async def test_what_a_webhook_does_to_the_pod_afterwards_is_followed(
    cluster: RestClient, tmp_path: Path, patch: Patch, image: str, expected: list[str]
) -> None:
    """The pod has the Secret once if it needs it then, and those of others as the webhook left them."""
    team = await create_team(cluster, ON)
    async with mutating(cluster, tmp_path, team.name, patch, "pods") as asked:

        async def pulls_with() -> list[str] | None:
            asked.clear()
            found = await team.pulls_with(image, imagePullSecrets=[{"name": "mine"}])
            return found if asked else None

        assert await until(pulls_with, "the webhook to be in force") == expected


async def test_a_pod_is_debugged_with_the_secret_it_has(cluster: RestClient) -> None:
    """The API server takes no ephemeral containers in a new pod; those added later change nothing else."""
    team, extra = await create_team(cluster, ON), {"name": "debug", "image": OURS}
    refused = await team.ask(OURS, ephemeralContainers=[extra])
    assert (refused.status, "cannot be set on create" in refused.message) == (422, True)
    for image, expected in ((OURS, [SECRET]), (OTHERS, [])):
        pod = (await team.ask(image, dry_run=False, metadata={"generateName": "app-"})).ok()
        path = f"/api/v1/namespaces/{team.name}/pods/{pod['metadata']['name']}/ephemeralcontainers"
        body = {"spec": {"ephemeralContainers": [extra]}}
        debugged = (await cluster.send("PATCH", path, body=body, content_type=STRATEGIC)).ok()
        assert [each["name"] for each in debugged["spec"]["ephemeralContainers"]] == ["debug"]
        assert pull_secrets(debugged) == expected


async def test_a_pod_that_is_there_is_not_touched(cluster: RestClient) -> None:
    """An update of one from before its namespace opted in passes as it is."""
    team = await create_team(cluster)
    (await team.ask(OURS, dry_run=False)).ok()
    (
        await cluster.merge(
            f"/api/v1/namespaces/{team.name}", {"metadata": {"annotations": {"pullkeeper.dev/enabled": "true"}}}
        )
    ).ok()

    async def injected() -> bool:
        return await team.pulls_with(OURS, metadata={"name": "another"}) == [SECRET]

    await until(injected, "the opt-in to be seen")
    path = f"/api/v1/namespaces/{team.name}/pods/app"
    assert pull_secrets((await cluster.merge(path, {"metadata": {"labels": {"a": "b"}}})).ok()) == []


async def test_a_mirror_pod_stays_as_the_kubelet_made_it(cluster: RestClient) -> None:
    """It has no ServiceAccount, and may name no Secret."""
    team = await create_team(cluster, ON)
    metadata = {"name": "mirror", "annotations": {"kubernetes.io/config.mirror": "0"}}
    spec = pod_spec(OURS, nodeName="node")
    del spec["serviceAccountName"]
    path = f"/api/v1/namespaces/{team.name}/pods"
    answer = await cluster.post(path, {"metadata": metadata, "spec": spec}, dryRun="All")
    assert pull_secrets(answer.ok()) == []


LONG = {
    "commas": "," * 32_768,
    "blanks": "\u3000" * 32_760 + IRELAND[:1],
    "hosts of 32 KiB": ",".join([VIRGINIA] * 700),
    "200 KiB": "x," * 100_000,
    "the most hosts": ",\n".join([f"{number:012}{IRELAND[12:]}" for number in range(MAX_REGISTRIES - 1)] + [IRELAND]),
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG)
async def test_an_annotation_of_any_size_keeps_within_the_limits(cluster: RestClient, value: str) -> None:
    """With a hundred containers, of which the last needs the Secret."""
    team = await create_team(cluster, {**ON, "registries": value})
    assert await team.pulls_with(*[f"localhost:5000/{'x' * 200}"] * 99, OURS) == [SECRET]


async def test_any_number_of_annotations_keeps_within_the_limits(cluster: RestClient) -> None:
    """Ten thousand of them, ours among them."""
    team = await create_team(cluster, {**ON, **{f"k{number}": "v" for number in range(10_000)}})
    assert await team.pulls_with(OURS) == [SECRET]


async def test_a_pod_of_any_size_is_refused_by_nobody(cluster: RestClient) -> None:
    """What exceeds the limit on the policy's cost is created as it was asked for."""
    team = await create_team(cluster, {**ON, "registries": "nonsense"})
    answer = await team.ask(*[f"docker.io/{'x' * 60}"] * 6_000)
    assert answer.status == 201, answer.body
    assert pull_secrets(answer.body) == []


async def test_the_injection_is_turned_off_and_on_by_an_upgrade(release: Release) -> None:
    """Running pods keep what they have, the controller's are not replaced, and `check` tells, until it is undone."""
    await release.apply("install", admission={"injection": True})
    team = await create_team(release.api, ON)
    secret = release.installation.secret_name

    async def turned(*, on: bool) -> None:
        async def settled() -> bool:
            return (secret in await team.pulls_with(OURS, metadata={"name": "another"})) == on

        await until(settled, f"the injection to be {'on' if on else 'off'}")

    await turned(on=True)
    (await team.ask(OURS, dry_run=False)).ok()
    for on in (False, True):
        await release.apply("upgrade", admission={"injection": on})
        await turned(on=on)
        pod = (await release.api.get(f"/api/v1/namespaces/{team.name}/pods/app")).ok()
        assert secret in pull_secrets(pod)
        assert (await _check(release)).outcome is (Outcome.PASSED if on else Outcome.SKIPPED)
    deployment = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/pullkeeper"
    assert (await release.api.get(deployment)).ok()["metadata"]["generation"] == 1
    await release.shell("kubectl delete mutatingadmissionpolicybinding pullkeeper-injection")
    await turned(on=False)
    assert (await _check(release)).outcome is Outcome.FAILED


async def _check(release: Release) -> CheckResult:
    """Try a pod as `pullkeeper check` does for an administrator, with the settings that the chart wrote."""
    path = f"/api/v1/namespaces/{release.namespace}/configmaps/pullkeeper"
    text = (await release.api.get(path)).ok()["data"]["settings.yaml"]
    settings = parse("settings.yaml", text.encode())
    plane = release.installation.server
    assert isinstance(plane, ControlPlane)
    options = argparse.Namespace(kubeconfig=str(plane.write_kubeconfig()), context=None)
    async with connected(options) as client:
        checks = KubernetesChecks(client, settings, clock=lambda: datetime.now(UTC))
        (found,) = await dict(checks.all())["injection"]()
        return found
