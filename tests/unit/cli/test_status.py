"""`pullkeeper status`: what one report requests, and what it makes of the responses."""

import argparse
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli import status
from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.kube.api import METADATA_LIST, Response
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.views.namespace_status import StatusRules
from pullkeeper.domain.views.status_table import StatusReport
from tests.unit.domain.test_observed_secret import applied_metadata
from testsupport.examples import EU, published
from testsupport.fake_client import FakeClient, Request, items, ok

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def namespace(name: str, **annotations: str) -> dict[str, Any]:
    written = {f"pullkeeper.dev/{key}": value for key, value in annotations.items()}
    metadata = {"name": name, "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": {**metadata, "annotations": written}}


def secret(name: str, age: timedelta) -> dict[str, Any]:
    annotations = published(EU, issued=NOW - age).annotations()
    metadata = {**applied_metadata(), "namespace": name, "annotations": annotations}
    return {"metadata": metadata}


def server(age: timedelta, *, events: int = 200) -> FakeClient:
    lists: dict[str, list[Any]] = {
        "/api/v1/configmaps": [],
        "/api/v1/namespaces": [namespace("b", enabled="true"), namespace("a", enabled="true"), namespace("c")],
        "/api/v1/secrets": [secret("a", timedelta()), secret("b", age)],
        "/apis/events.k8s.io/v1/events": [event("b", 10, "older"), event("b", 11, "newer"), event("c", 11, "other")],
    }

    def respond(request: Request) -> Response:
        if request.query.get("fieldSelector") == "metadata.name=argocd":
            return items(secret("a", timedelta()))
        return ok(status=events) if "events" in request.path and events != 200 else items(*lists[request.path])

    return FakeClient(respond=respond)


def event(namespace: str, hour: int, note: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "eventTime": f"2026-03-01T{hour}:00:00Z", "reason": "AccessDenied", "note": note}


async def report_from(client: FakeClient, rules: StatusRules | None = None, *expected: str) -> StatusReport:
    listing = SnapshotReader(client, secret_name="pull")
    return await status.status_report(listing, rules or StatusRules(), lambda: NOW, expected=expected)


ARGOCD = AdditionalSecret(name="argocd", shape=ShapeName.CDI, registry=EU, namespaces=Matcher(names=("a",)))
ADDITIONAL = StatusRules(policy=Policy(registries=(EU,)), additional=(ARGOCD,))


async def test_additional_secrets_take_a_list_each() -> None:
    """Of their name alone."""
    client = server(timedelta(hours=1))
    report = await report_from(client, ADDITIONAL)
    assert [[each.name for each in found.additional] for found in report.namespaces] == [["argocd"], []]
    selectors = sorted(request.query["fieldSelector"] for request in client.requests if "secrets" in request.path)
    assert selectors == ["metadata.name=argocd", "metadata.name=pull"]


async def test_an_additional_secret_that_may_not_be_listed_is_a_note() -> None:
    """The rest is shown, and nobody is told that it is missing."""
    others = server(timedelta(hours=1)).respond
    assert others is not None

    def respond(request: Request) -> Response:
        denied = request.query.get("fieldSelector") == "metadata.name=argocd"
        return ok(status=403) if denied else others(request)

    client = server(timedelta(hours=1))
    client.respond = respond
    report = await report_from(client, ADDITIONAL)
    assert [found.additional for found in report.namespaces] == [(), ()]
    assert report.healthy
    (note,) = report.notes
    said = "the additional Secret argocd is not shown: the API server refused to list Secrets named argocd"
    assert note.startswith(said)


async def test_an_error_that_nobody_expects_is_none_to_go_on_with() -> None:
    """It is a fault of ours."""
    others = server(timedelta(hours=1)).respond
    assert others is not None

    def respond(request: Request) -> Response:
        if request.query.get("fieldSelector") == "metadata.name=argocd":
            raise RuntimeError
        return others(request)

    client = server(timedelta(hours=1))
    client.respond = respond
    with pytest.raises(RuntimeError):
        await report_from(client, ADDITIONAL)


async def test_two_lists_of_metadata_suffice_while_everything_is_healthy() -> None:
    """No Secret's data is transferred, and no Events are listed."""
    client = server(timedelta(hours=1))
    report = await report_from(client)
    assert [(each.namespace, each.state) for each in report.namespaces] == [("a", State.READY), ("b", State.READY)]
    assert report.healthy
    assert sorted(request.path for request in client.requests) == ["/api/v1/namespaces", "/api/v1/secrets"]
    assert [request.accept for request in client.requests] == [METADATA_LIST] * 2


async def test_an_unhealthy_namespace_takes_one_list_of_events() -> None:
    """The controller's last warning is shown, only for the namespace that needs it."""
    client = server(timedelta(hours=13))
    report = await report_from(client)
    notes = {each.namespace: each.last_warning.note if each.last_warning else None for each in report.namespaces}
    assert notes == {"a": None, "b": "newer"}
    assert not report.healthy
    selector = "type=Warning,reportingController=pullkeeper.dev/controller"
    (request,) = client.requests[2:]
    assert (request.verb, request.path) == ("list", "/apis/events.k8s.io/v1/events")
    assert request.query == {"fieldSelector": selector, "limit": "250"}


async def test_without_permission_to_list_events_there_is_a_note() -> None:
    """The rest is shown."""
    report = await report_from(server(timedelta(hours=13), events=403))
    assert [each.state for each in report.namespaces] == [State.READY, State.EXPIRED]
    assert "the API server refused to list Events (403)" in report.notes[-1]


async def test_a_named_namespace_that_does_not_exist_is_reported() -> None:
    """After the existing ones."""
    report = await report_from(server(timedelta(hours=1)), None, "a", "nobody")
    assert [(each.namespace, each.state) for each in report.namespaces][-1] == ("nobody", State.NOT_FOUND)
    assert not report.healthy


@pytest.mark.parametrize(
    ("shown", "status_", "notes"),
    [
        (["a"], 200, ["only 1 namespace is watched (a)", "1 pull Secret in namespaces that nobody watches any more"]),
        (["a"], 403, ["only 1 namespace is watched (a)"]),
        (["a", "b"], 200, ["only 1 namespace is watched (a): pull Secrets elsewhere are neither renewed nor deleted"]),
    ],
)
async def test_the_scope_is_noted_with_what_it_leaves_outside(shown: list[str], status_: int, notes: list[str]) -> None:
    """As far as the caller may see it; one that is named and not watched is told as well."""
    client = server(timedelta(hours=1))
    respond = client.respond
    client.respond = respond if status_ == 200 else lambda _: ok(status=status_)
    settings = Settings(watch_namespaces=("a",), secret_name="pull")
    found = await status.scope_notes(client, settings, shown, NOW)
    assert [text[: len(note)] for text, note in zip(found, notes, strict=True)] == notes
    assert ("; `pullkeeper cleanup --unwatched" in found[-1]) == (len(found) == 2)
    assert found[0].endswith(", so not in b") == ("b" in shown)


async def test_of_some_of_the_watched_namespaces_nothing_else_is_asked() -> None:
    """`-n` needs no permission anywhere else; and without a scope there is nothing to note."""
    client = server(timedelta(hours=1))
    assert await status.scope_notes(client, Settings(watch_namespaces=("a", "b")), ["b"], NOW) == []
    assert await status.scope_notes(client, Settings(), ["b"], NOW) == []
    assert client.requests == []


async def test_installations_that_write_in_turn_are_noted() -> None:
    """Also without the settings."""
    client = server(timedelta(hours=1))
    secrets = []
    for second, name in enumerate(["one", "two", "one"]):
        each = secret(f"team-{second}", timedelta())
        each["metadata"]["annotations"]["pullkeeper.dev/written-by"] = f"{name}/pullkeeper"
        each["metadata"]["managedFields"] = [
            {"manager": "pullkeeper", "operation": "Apply", "time": f"2026-03-01T12:00:0{second}Z"}
        ]
        secrets.append(each)
    client.respond = lambda request: items(*secrets) if request.path.endswith("secrets") else items()
    assert (await report_from(client)).notes[-1].endswith(": one/pullkeeper (2), two/pullkeeper (1)")


def test_a_failed_report_does_not_end_watch_mode(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API server may be unavailable for a while; Ctrl-C ends it successfully."""
    healthy, looks = server(timedelta(hours=1)), 0

    def respond(request: Request) -> Response:
        nonlocal looks
        looks += request.path.endswith("/namespaces")
        if looks == 3:
            signal.raise_signal(signal.SIGINT)
        assert healthy.respond is not None
        return ok(status=500) if looks == 1 else healthy.respond(request)

    @asynccontextmanager
    async def connected(_: argparse.Namespace) -> AsyncIterator[FakeClient]:
        yield FakeClient(respond=respond)

    monkeypatch.setattr(status, "connected", connected)
    options = argparse.Namespace(
        config=None, installation=None, secret_name=None, namespace=[], all_namespaces=False, output="text", watch=0.01
    )
    assert status.main(options) == 0
    output = capsys.readouterr()
    assert output.err.count("\n") == 1
    assert "(status 500)" in output.err
    assert output.out.count("2 namespaces: 2 expired") == 2
