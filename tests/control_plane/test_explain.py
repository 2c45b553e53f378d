"""`pullkeeper explain pod` on the real API server: pods in the state in which a kubelet leaves them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.client import connect
from pullkeeper.cli.explain import explain_pod
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.shapes import DockerConfig, manifest
from pullkeeper.domain.views.namespace_status import StatusRules
from pullkeeper.domain.views.pull_explanation import Explanation
from testsupport import objects, pull_words
from testsupport.access import create_user, rule
from testsupport.command_line import CommandResult, kubeconfig, pullkeeper, settings_file
from testsupport.control_plane.plane import ControlPlane
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, PUBLIC, US, auth, published
from testsupport.installation import VIRGINIA, Installation, written
from testsupport.pull_words import IMAGE, backing_off
from testsupport.rest import RestClient

ACCOUNT = "puller"
ENABLED: Mapping[str, str] = {"enabled": "true"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A pod that waits, and what is around it; where nothing else is said, all is in order."""

    words: str = pull_words.NO_CREDENTIALS
    reason: str = "ErrImagePull"
    image: str = IMAGE
    named: bool = True
    account_names_it: bool = False
    held: Sequence[RegistryHost] | None = (EU,)
    """What the pull Secret holds; None for no Secret."""
    age: timedelta = HOUR
    foreign: bool = False
    edited: bool = False
    warning: str = ""
    event: str = ""
    """What an Event of the kubelet says."""
    annotations: Mapping[str, str] = field(default_factory=lambda: ENABLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where pods are made."""

    plane: ControlPlane
    api: RestClient
    name: str
    """The pull Secret's name."""

    async def make(self, given: Given) -> str:
        """Make everything and return the namespace."""
        team = await objects.create_namespace(self.api, annotations=written(dict(given.annotations)))
        named = [{"name": self.name}] if given.account_names_it else []
        account = {"metadata": {"name": ACCOUNT}, "imagePullSecrets": []}
        path = f"/api/v1/namespaces/{team}/serviceaccounts"
        (await self.api.post(path, account)).ok()
        await self.make_secret(team, given)
        await make_pod(self.api, team, given, [self.name] if given.named else [])
        (await self.api.merge(f"{path}/{ACCOUNT}", {"imagePullSecrets": named})).ok()
        if given.warning:
            warning = objects.warning_event(team, "w", given.warning, at=objects.now(), regarding=self.name)
            (await self.api.post(objects.events_in(team), warning)).ok()
        return team

    async def make_secret(self, team: str, given: Given) -> None:
        """Write the pull Secret as the controller, or as somebody else."""
        path = f"{objects.secrets_in(team)}/{self.name}"
        if given.foreign:
            (await self.api.post(objects.secrets_in(team), objects.foreign_secret(self.name))).ok()
        elif given.held is not None:
            record = published(*given.held, issued=datetime.now(UTC) - given.age)
            data = PullSecret(record=record, auths=dict.fromkeys(given.held, auth())).data()
            (
                await self.api.apply(
                    path, manifest(DockerConfig(name=self.name), team, record, data, installation="test")
                )
            ).ok()
        if given.edited:
            (await self.api.merge(path, {"data": {".dockerconfigjson": objects.encoded(objects.EMPTY)}})).ok()

    async def explained(self, team: str, token: str | None = None) -> Explanation:
        """Explain the pod, as a user."""
        config = str(self.plane.write_kubeconfig(token))
        client = await connect(kubeconfig=config, context=None, record_request=lambda *_: None)
        try:
            found = await explain_pod(client, self.name, team, "web", rules=StatusRules())
        finally:
            await client.close()
        assert found is not None
        return found


async def make_pod(api: RestClient, team: str, given: Given, pull_secrets: Sequence[str]) -> None:
    """Create a pod and give it the status that a kubelet would write."""
    spec = {
        "serviceAccountName": ACCOUNT,
        "containers": [{"name": "app", "image": given.image}],
        "imagePullSecrets": [{"name": each} for each in pull_secrets],
    }
    path = f"/api/v1/namespaces/{team}/pods"
    pod = (await api.post(path, {"metadata": {"name": "web"}, "spec": spec})).ok()
    waiting = {"reason": given.reason, "message": given.words}
    container = {"name": "app", "image": given.image, "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Pending", "containerStatuses": [{**container, "state": {"waiting": waiting}}]}
    (await api.merge(f"{path}/web/status", {"status": status})).ok()
    if given.event:
        (await api.post(f"/api/v1/namespaces/{team}/events", failed_event(pod, given.event))).ok()


def failed_event(pod: Mapping[str, Any], message: str) -> dict[str, Any]:
    """Return the Event that a kubelet posts."""
    metadata = pod["metadata"]
    about = {"kind": "Pod", "apiVersion": "v1", "fieldPath": "spec.containers{app}"}
    about |= {key: metadata[key] for key in ("name", "namespace", "uid")}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "metadata": {"name": f"web.{secrets.token_hex(8)}", "namespace": metadata["namespace"]},
        "involvedObject": about,
        "type": "Warning",
        "reason": "Failed",
        "message": f'Failed to pull image "{IMAGE}": {message}',
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


CASES: Mapping[str, tuple[Given, str]] = {
    "no-secret-named": (Given(named=False), "imagePullSecrets name no Secret"),
    "pod-too-old": (Given(named=False, account_names_it=True), f"serviceaccount/{ACCOUNT} names it by now"),
    "not-opted-in": (Given(held=None, annotations={}), "the namespace asks for none"),
    "misconfigured": (Given(held=None, annotations={**ENABLED, "registries": "nonsense"}), 'found "nonsense"'),
    "secret-conflict": (Given(held=None, foreign=True), "not managed by Pullkeeper"),
    "token-refused": (Given(held=None, warning="ECR refused GetAuthorizationToken"), "ECR refused"),
    "secret-missing": (Given(held=None), "it does not exist"),
    "secret-changed": (Given(edited=True), "somebody has changed it"),
    "wrong-region": (Given(held=(US,)), f"no entry for {EU}, only for {US}"),
    "wrong-account": (Given(held=(EU_OTHER_ACCOUNT,)), "the image is of another account"),
    "registry-not-listed": (Given(held=(PUBLIC,)), f"only for {PUBLIC}"),
    "expired": (Given(age=13 * HOUR, words=pull_words.FORBIDDEN), "expired 1h"),
    "repository-denied": (Given(words=pull_words.NOT_AUTHORIZED), "refuses the image to controller"),
    "image-missing": (Given(words=pull_words.NOT_FOUND), "no repository shop/web, or no image v1 in it"),
    "throttled": (Given(words=pull_words.THROTTLED), "throttles pulls"),
    "platform": (Given(words=pull_words.PLATFORM), "not built for the operating system and architecture"),
    "layers-denied": (Given(words=pull_words.LAYERS_DENIED), "S3 refuses its layers"),
    "unreachable": (Given(words=pull_words.UNREACHABLE), "does not get through"),
    "not-ecr": (Given(image="nginx:1", words="pull access denied"), "the image is of docker.io"),
    "invalid-image": (Given(image=f"{EU}/Shop:v1", reason="InvalidImageName", words="invalid reference"), "parsed"),
    "never-pull": (Given(reason="ErrImageNeverPull", words="not present with pull policy of Never"), "Never"),
    "retrying": (Given(), "has a valid token for the registry now"),
    "unknown": (Given(words="rpc error: code = Unknown desc = no space left on device"), "do not say why"),
}


@pytest.fixture
def cluster(plane: ControlPlane, api: RestClient) -> Cluster:
    return Cluster(plane=plane, api=api, name=f"ecr-pull-{secrets.token_hex(4)}")


@pytest.mark.parametrize("cause", CASES)
async def test_each_cause_is_told(cluster: Cluster, cause: str) -> None:
    """From what the API server really returns."""
    given, why = CASES[cause]
    explanation = await cluster.explained(await cluster.make(given))
    found = explanation.findings[0].verdict
    assert (found.cause, why in found.why) == (cause, True), found
    assert not [line for line in explanation.evidence if line.startswith("not read")]


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (backing_off(IMAGE, pull_words.NOT_FOUND), ""),
        (f'Back-off pulling image "{IMAGE}"', pull_words.NOT_FOUND),
    ],
)
async def test_a_pod_that_backs_off_is_explained(cluster: Cluster, words: str, event: str) -> None:
    """By its status, or where an older kubelet says nothing there by its Event."""
    team = await cluster.make(Given(reason="ImagePullBackOff", words=words, event=event))
    found = (await cluster.explained(team)).findings[0].verdict
    assert found.cause == "image-missing"


async def test_a_pod_that_runs_is_in_order(cluster: Cluster) -> None:
    """Nothing waits for an image."""
    team = await cluster.make(Given(reason="CrashLoopBackOff"))
    assert (await cluster.explained(team)).ok


async def test_whoever_may_read_the_pod_alone_is_told_what_it_says(cluster: Cluster) -> None:
    """And what could not be read, with the right that it takes."""
    team = await cluster.make(Given(words=pull_words.NOT_FOUND))
    user = await create_user(cluster.api, team, rule("pods", "get"), within=team)
    explanation = await cluster.explained(team, user.token)
    assert explanation.findings[0].verdict.cause == "image-missing"
    unread = [line for line in explanation.evidence if line.startswith("not read")]
    assert len(unread) == 5
    assert f"grant list on events in {team}" in " ".join(unread)


async def explain_command(installation: Installation, team: str, *arguments: str, token: str = "") -> CommandResult:
    config = settings_file(installation, registryCaFile=installation.aws.network.ca_file)
    options = ("--context", "here", "--config", config, *arguments)
    environment = {**installation.irsa(), "KUBECONFIG": kubeconfig(installation, token)}
    return await pullkeeper(installation, "explain", "pod", f"{team}/web", *options, environment=environment)


@pytest.mark.slow
async def test_the_command_tells_what_the_registry_and_the_controller_say(installation: Installation) -> None:
    """With a controller's own Secret and warning, by somebody who may read no more than it takes; without the token."""
    await installation.start()
    team = await served_pod(installation, Given(words=pull_words.FORBIDDEN))
    user = await reader(installation, team)
    unasked = await explain_command(installation, team, token=user.token or "")
    assert (unasked.status, unasked.err) == (1, "")
    assert unasked.out.startswith(f"pod {team}/web, container app, image {IMAGE}: repository-denied\n  object: arn:")
    assert "asked with" not in unasked.out
    asked = await explain_command(installation, team, "--ask-registry", "-o", "json", token=user.token or "")
    document = json.loads(asked.out)
    assert (asked.status, asked.err, document["verdict"]["cause"]) == (1, "", "image-missing")
    assert f"{EU}, asked with the pull Secret's token: missing (status 404)" in document["evidence"]
    assert not [line for line in document["evidence"] if line.startswith("not read")]
    installation.aws.deny(operation="GetAuthorizationToken")
    image = f"{VIRGINIA}/shop/web:v1"
    refused = await served_pod(installation, Given(image=image), registries=VIRGINIA, event="AccessDenied")
    ended = await explain_command(installation, refused)
    said = f"image {image}: token-refused\n  object: namespace/{refused}\n  why: the controller has no token for it"
    assert (ended.status, said in ended.out) == (1, True), ended
    assert 'allow ecr:GetAuthorizationToken on "*" to that role' in ended.out


async def served_pod(
    installation: Installation, given: Given, *, event: str = "PullSecretCreated", **annotations: str
) -> str:
    """Make a pod in a namespace that is opted in, once the controller has said what came of it."""
    team = await installation.create_namespace(**ENABLED, **annotations)
    await installation.event(team, event)
    account = {"metadata": {"name": ACCOUNT}}
    (await installation.api.post(f"/api/v1/namespaces/{team}/serviceaccounts", account)).ok()
    await make_pod(installation.api, team, given, [installation.secret_name])
    return team


async def reader(installation: Installation, team: str) -> RestClient:
    """Return somebody who may read what the command reads."""
    rights = (
        rule("pods", "get"),
        rule("events", "list"),
        rule("events", "list", group="events.k8s.io"),
        rule("namespaces", "get", name=team),
        rule("serviceaccounts", "get", name=ACCOUNT),
        rule("secrets", "get", "list", name=installation.secret_name),
    )
    return await create_user(installation.api, team, *rights, within=team)
