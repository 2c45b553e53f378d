"""`pullkeeper version`: of this program and of each controller, as far as they can be read."""

import argparse
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.installations import MAX_NAMED
from pullkeeper.cli import version
from pullkeeper.cli.main import _run
from pullkeeper.domain.kube.api import Response
from testsupport.fake_client import AWAY, FakeClient, Request, items, ok


def deployment(**status: int) -> dict[str, Any]:
    containers = [{"name": "helper", "image": "other"}, {"name": "pullkeeper", "image": "example.com/keeper:7"}]
    labels = {"app.kubernetes.io/version": "0.1.0"}
    spec = {"replicas": 2, "template": {"spec": {"containers": containers}}}
    return {"metadata": {"labels": labels}, "spec": spec, "status": status}


def cluster(names: Sequence[str], *, denied: bool = False) -> FakeClient:
    def respond(request: Request) -> Response:
        if request.path == "/api/v1/configmaps":
            found = [{"metadata": {"namespace": "system", "name": name}} for name in names]
            return items(*found[: MAX_NAMED + 1])
        return ok(status=403) if denied else ok(deployment(readyReplicas=1))

    return FakeClient(respond=respond)


def connect(monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> None:
    @asynccontextmanager
    async def connected(_: argparse.Namespace) -> AsyncIterator[FakeClient]:
        yield client

    monkeypatch.setattr(version, "connected", connected)


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this program a version."""
    monkeypatch.setattr(version, "version", lambda _: "0.2.0")


def test_each_controller_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Several are no error here."""
    connect(monkeypatch, cluster(["a", "b"]))
    assert _run(["version"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "client: 0.2.0",
        "controller system/a: 0.1.0 (example.com/keeper:7; 1 of 2 ready)",
        "controller system/b: 0.1.0 (example.com/keeper:7; 1 of 2 ready)",
    ]


def test_one_that_is_named_takes_no_search(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines as well."""
    client = cluster([])
    connect(monkeypatch, client)
    assert _run(["version", "--installation", "system/a", "-o", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["controllers"]
    assert (found["installation"], found["ready"], found["wanted"]) == ("system/a", 1, 2)
    assert [request.path for request in client.requests] == ["/apis/apps/v1/namespaces/system/deployments/a"]


def test_of_very_many_some_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And that there are more."""
    connect(monkeypatch, cluster([f"n{number}" for number in range(500)]))
    assert _run(["version"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1 + MAX_NAMED
    assert "there are more installations" in shown.err


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (FakeClient(AWAY), "not read: the API server is away"),
        (cluster([]), "no installation is found"),
        (cluster(["a"], denied=True), "grant get on deployments.apps named a in system"),
    ],
)
def test_what_cannot_be_read_is_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], client: FakeClient, words: str
) -> None:
    """The own version is there all the same."""
    connect(monkeypatch, client)
    assert _run(["version"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "client: 0.2.0\n"
    assert words in shown.err


def test_no_server_is_needed_for_the_own_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --client nobody is asked."""
    client = FakeClient(AWAY)
    connect(monkeypatch, client)
    assert _run(["version", "--client"]) == 0
    assert capsys.readouterr().out == "client: 0.2.0\n"
    assert client.requests == []
