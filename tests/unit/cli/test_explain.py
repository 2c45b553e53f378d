"""`pullkeeper explain pod`: what it reads, what it asks registries, and what it says of what it cannot read."""

import argparse
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from pullkeeper.adapters.kubernetes.installations import InstallationName
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.cli import explain
from pullkeeper.cli.found_settings import FoundSettings
from pullkeeper.cli.main import _run
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.image_reference import ImageReference
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer, ManifestResult
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.kube.api import METADATA_LIST, Response
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.views.namespace_status import StatusRules
from pullkeeper.domain.views.pull_explanation import Explanation
from pullkeeper.domain.views.pull_verdict import Cause
from testsupport.examples import EU, PUBLIC, auth, published
from testsupport.fake_client import FakeClient, Request, items, ok
from testsupport.pull_words import IMAGE, NO_CREDENTIALS

NAME = "ecr-pull-secret"
TEAM = "/api/v1/namespaces/team-a"
POD = f"{TEAM}/pods/web"


class Probe:
    """Answers every question, and counts them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask_for_manifest(self, host: RegistryHost, token: Password, image: ImageReference) -> ManifestResult:
        assert token == auth()
        self.asked.append(f"{host}/{image.repository}:{image.reference}")
        return ManifestResult(answer=ManifestAnswer.MISSING, why="status 404")


def server(
    *images: str, denied: bool = False, secret: int = 200, account: int = 200, managed: Sequence[str] = ()
) -> FakeClient:
    data = PullSecret(record=published(EU), auths={EU: auth(), PUBLIC: auth()}).data()
    readable = {
        f"{TEAM}/secrets/{NAME}": ok({"data": data}, secret),
        f"{TEAM}/serviceaccounts/puller": ok({"imagePullSecrets": [{"name": "other"}]}, account),
        TEAM: ok({"metadata": {"name": "team-a", "resourceVersion": "7"}}),
    }

    def respond(request: Request) -> Response:
        if request.path == POD:
            return ok(pod(*images))
        if denied:
            return ok({"message": "no"}, 403)
        if request.query.get("labelSelector") == "app.kubernetes.io/managed-by=pullkeeper":
            return items(*({"metadata": {"name": each}} for each in managed))
        return readable.get(request.path, items())

    return FakeClient(respond=respond)


def pod(*images: str) -> dict[str, Any]:
    names = [f"c{number}" for number, _ in enumerate(images)]
    waiting = {"waiting": {"reason": "ErrImagePull", "message": NO_CREDENTIALS}}
    return {
        "metadata": {"namespace": "team-a", "name": "web", "uid": "uid-1"},
        "spec": {
            "serviceAccountName": "puller",
            "imagePullSecrets": [{"name": NAME}],
            "containers": [{"name": name, "image": image} for name, image in zip(names, images, strict=True)],
        },
        "status": {"containerStatuses": [{"name": name, "state": waiting} for name in names]},
    }


async def explained(client: FakeClient, probe: Probe | None = None) -> Explanation | None:
    given = cast("RegistryProbe | None", probe)
    return await explain.explain_pod(client, NAME, "team-a", "web", rules=StatusRules(), probe=given)


async def test_no_data_of_a_secret_is_read() -> None:
    """Unless the registry is to be asked."""
    client = server(IMAGE)
    assert await explained(client)
    read = {request.path: request.accept for request in client.requests}
    assert read[f"{TEAM}/secrets"] == METADATA_LIST
    assert f"{TEAM}/secrets/{NAME}" not in read


@pytest.mark.parametrize(
    "image", ["nginx", "public.ecr.aws/shop/web:v1", f"{EU}/../web", "210987654321.dkr.ecr.eu-west-1.amazonaws.com/web"]
)
async def test_the_token_goes_nowhere_else(image: str) -> None:
    """To registries that the Secret has an entry for, that take it, and at an address that is one."""
    probe = Probe()
    assert await explained(server(image), probe)
    assert probe.asked == []


async def test_no_more_than_ten_images_are_asked_for() -> None:
    """Each of them once; what the registry says is part of the evidence."""
    probe = Probe()
    explanation = await explained(server(IMAGE, IMAGE, *(f"{EU}/{number}:v1" for number in range(20))), probe)
    assert probe.asked == [f"{EU}/shop/web:v1", *(f"{EU}/{number}:v1" for number in range(8))]
    assert explanation
    assert explanation.findings[0].verdict.cause is Cause.IMAGE_MISSING


async def test_what_cannot_be_read_is_named() -> None:
    """The rest is explained all the same."""
    explanation = await explained(server(IMAGE, denied=True), Probe())
    assert explanation
    unread = " ".join(line for line in explanation.evidence if line.startswith("not read"))
    granted = re.findall(r"grant (\w+ on \S+)", unread)
    assert granted == [
        "list on secrets",
        "get on namespaces",
        "list on events",
        "list on events.events.k8s.io",
        "get on serviceaccounts",
        "get on secrets",
    ]


@pytest.mark.parametrize(
    ("assumed", "managed", "found"),
    [
        ("other", [NAME], NAME),
        ("other", [], "other"),
        ("other", [NAME, "third"], "other"),
        (NAME, ["third"], NAME),
    ],
)
async def test_a_name_that_is_assumed_gives_way_to_the_one_that_is_there(
    assumed: str, managed: Sequence[str], found: str
) -> None:
    """Where the pod does not name it and there is just one of Pullkeeper's."""
    client = server(IMAGE, managed=managed)
    rules = StatusRules()
    for flag, expected in ((True, found), (False, assumed)):
        explanation = await explain.explain_pod(client, assumed, "team-a", "web", rules=rules, name_is_assumed=flag)
        assert explanation
        assert [line for line in explanation.evidence if line.startswith("secret ")] == [
            f"secret {expected}: there is none"
        ]


async def test_what_is_gone_names_nothing() -> None:
    """A ServiceAccount or Secret that was deleted meanwhile."""
    probe = Probe()
    explanation = await explained(server(IMAGE, secret=404, account=404), probe)
    assert explanation
    assert probe.asked == []
    assert not [line for line in explanation.evidence if "ServiceAccount" in line or line.startswith("not read")]


@pytest.mark.parametrize("name", ["web", "team-a/", "/web", "team-a/../secrets", "team-a/web/log", "Team/web", "a/b?c"])
def test_a_name_that_is_none_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be part of an address."""
    assert _run(["explain", "pod", name]) == 2
    assert "expected NAMESPACE/NAME" in capsys.readouterr().err


def test_a_pod_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1, as for one that cannot be read."""
    client = FakeClient(ok(status=404))

    @asynccontextmanager
    async def connected(_: object) -> AsyncIterator[FakeClient]:
        yield client

    monkeypatch.setattr(explain, "connected", connected)
    assert _run(["explain", "pod", "team-a/web"]) == 1
    assert capsys.readouterr().err == "pullkeeper: there is no pod web in namespace team-a\n"
    client.responses = [ok({"message": "no"}, 403)]
    assert _run(["explain", "pod", "team-a/web"]) == 1
    assert "grant get on pods in team-a" in capsys.readouterr().err


def test_every_cause_is_documented() -> None:
    """In the table of docs/commands.md."""
    section = Path("docs/commands.md").read_text().partition("## explain")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == set(Cause)


@pytest.mark.parametrize(
    ("installation", "ca_file"), [(None, "/etc/ca.pem"), (InstallationName(namespace="system", name="keeper"), "")]
)
def test_certificates_are_read_where_the_settings_are_from(
    monkeypatch: pytest.MonkeyPatch, installation: InstallationName | None, ca_file: str
) -> None:
    """A path in the settings of the cluster is one in the controller's pods, and means nothing here."""
    asked: list[str] = []

    async def find_settings(*_: object) -> FoundSettings:
        settings = Settings(registry_ca_file="/etc/ca.pem")
        return FoundSettings(settings=settings, source="any", installation=installation)

    @asynccontextmanager
    async def connected(_: object) -> AsyncIterator[FakeClient]:
        yield FakeClient(ok(status=404))

    monkeypatch.setattr(explain, "find_settings", find_settings)
    monkeypatch.setattr(explain, "connected", connected)
    monkeypatch.setattr(explain, "RegistryProbe", lambda *, ca_file: asked.append(ca_file))
    options = argparse.Namespace(name="team-a/web", ask_registry=True, secret_name=None, output="text")
    assert explain.main(options) == 1
    assert asked == [ca_file]
