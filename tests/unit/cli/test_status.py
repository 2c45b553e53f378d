"""What a look of `status` asks for, and what it makes of the answers."""

import argparse
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli import status
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.kube.api import METADATA_LIST
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.views.namespace_status import StatusRules
from pullkeeper.domain.views.status_table import StatusReport
from tests.unit.domain.test_observed_secret import applied
from testsupport.canned_responses import CannedResponses, Query
from testsupport.examples import EU, published

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def namespace(name: str, **annotations: str) -> dict[str, Any]:
    written = {f"pullkeeper.dev/{key}": value for key, value in annotations.items()}
    metadata = {"name": name, "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": {**metadata, "annotations": written}}


def secret(name: str, age: timedelta) -> dict[str, Any]:
    annotations = published(EU, issued=NOW - age).annotations()
    metadata = {**applied(), "namespace": name, "annotations": annotations}
    return {"metadata": metadata}


def server(age: timedelta, *, events: int = 200) -> CannedResponses:
    lists: dict[str, list[Any]] = {
        "/api/v1/namespaces": [namespace("b", enabled="true"), namespace("a", enabled="true"), namespace("c")],
        "/api/v1/secrets": [secret("a", timedelta()), secret("b", age)],
        "/apis/events.k8s.io/v1/events": [event("b", 10, "older"), event("b", 11, "newer"), event("c", 11, "other")],
    }

    def give(_verb: str, path: str, _query: object, _body: object) -> tuple[int, Any]:
        code = events if "events" in path else 200
        return code, {"items": lists[path], "metadata": {}}

    return CannedResponses(give=give)


def event(namespace: str, hour: int, note: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "eventTime": f"2026-03-01T{hour}:00:00Z", "reason": "AccessDenied", "note": note}


async def look(answers: CannedResponses, rules: StatusRules | None = None, *expected: str) -> StatusReport:
    listing = SnapshotReader(answers, secret_name="pull")
    return await status.look(listing, rules or StatusRules(), lambda: NOW, expected=expected)


async def test_where_all_is_well_two_listings_of_metadata_tell_it_all() -> None:
    """No Secret's data comes over the wire, and nobody's Events are asked for."""
    answers = server(timedelta(hours=1))
    report = await look(answers)
    assert [(each.namespace, each.state) for each in report.namespaces] == [("a", State.READY), ("b", State.READY)]
    assert report.healthy
    assert sorted(path for _, path, _ in answers.asked) == ["/api/v1/namespaces", "/api/v1/secrets"]
    assert answers.accepted == [METADATA_LIST] * 2


async def test_where_something_is_wrong_one_more_request_tells_why() -> None:
    """The last of the controller's own warnings, and only of the namespace that is puzzling."""
    answers = server(timedelta(hours=13))
    report = await look(answers)
    told = {each.namespace: each.last_warning.note if each.last_warning else None for each in report.namespaces}
    assert told == {"a": None, "b": "newer"}
    assert not report.healthy
    selector = "type=Warning,reportingController=pullkeeper.dev/controller"
    assert answers.asked[2:] == [("list", "/apis/events.k8s.io/v1/events", {"fieldSelector": selector, "limit": "500"})]


async def test_events_that_may_not_be_listed_are_a_note() -> None:
    """The rest is told."""
    report = await look(server(timedelta(hours=13), events=403))
    assert [each.state for each in report.namespaces] == [State.READY, State.EXPIRED]
    assert "the API server refused to list Events (403)" in report.notes[-1]


async def test_who_is_expected_and_not_there_is_told_of() -> None:
    """After those that are."""
    report = await look(server(timedelta(hours=1)), None, "a", "nobody")
    assert [(each.namespace, each.state) for each in report.namespaces][-1] == ("nobody", State.NOT_FOUND)
    assert not report.healthy


@pytest.mark.parametrize("known", [False, True])
async def test_what_cannot_be_told_without_the_settings_is_noted(known: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """And only then."""
    rules = StatusRules(policy=Settings().policy) if known else StatusRules()
    assert bool((await look(server(timedelta(hours=1)), rules)).notes) != known


def test_a_look_that_fails_does_not_end_the_watching(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API server may be away for a while; Ctrl-C is the end, and no failure."""
    healthy, looks = server(timedelta(hours=1)), 0

    def give(verb: str, path: str, query: Query, body: object) -> tuple[int, Any]:
        nonlocal looks
        looks += path.endswith("/namespaces")
        if looks == 3:
            signal.raise_signal(signal.SIGINT)
        return (500, {}) if looks == 1 else healthy.give(verb, path, query, body)

    @asynccontextmanager
    async def log_in(_: argparse.Namespace) -> AsyncIterator[CannedResponses]:
        yield CannedResponses(give=give)

    monkeypatch.setattr(status, "logged_in", log_in)
    options = argparse.Namespace(config=None, secret_name=None, namespace=[], output="text", watch=0.01)
    assert status.main(options) == 0
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "(status 500)" in said.err
    assert said.out.count("2 namespaces: 2 expired") == 2
