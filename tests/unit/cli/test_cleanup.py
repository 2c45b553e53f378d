"""`pullkeeper cleanup`: what it deletes, what it leaves, and what it says of it."""

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pullkeeper.cli import cleanup
from testsupport.canned_responses import CannedResponses, Query

OPTIONS = argparse.Namespace(config=None, secret_name=None)
OURS = {"app.kubernetes.io/managed-by": "pullkeeper"}


@dataclass(kw_only=True)
class Shelf:
    """Secrets of the one name, by namespace, and how deleting one is refused."""

    labels: dict[str, dict[str, str]]
    versions: dict[str, int] = field(default_factory=dict)
    refuses: Callable[[str], tuple[int, Any] | None] = lambda _: None
    preconditions: list[Any] = field(default_factory=list)
    never_applied: frozenset[str] = frozenset()

    def give(self, verb: str, path: str, query: Query, body: Any) -> tuple[int, Any]:
        if verb == "list":
            assert query == {"fieldSelector": "metadata.name=ecr-pull-secret", "limit": "500"}
            return 200, {"items": [self._item(name) for name in self.labels], "metadata": {}}
        namespace = path.split("/")[4]
        self.preconditions.append(body["preconditions"])
        if refusal := self.refuses(namespace):
            return refusal
        del self.labels[namespace]
        return 200, {}

    def _item(self, namespace: str) -> dict[str, Any]:
        version = str(self.versions.get(namespace, 7))
        found = {"namespace": namespace, "uid": f"uid-{namespace}", "resourceVersion": version}
        applied = [] if namespace in self.never_applied else [{"manager": "pullkeeper", "operation": "Apply"}]
        return {"metadata": {**found, "labels": self.labels[namespace], "managedFields": applied}}


def sweep(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> int:
    @asynccontextmanager
    async def log_in(_: argparse.Namespace) -> AsyncIterator[CannedResponses]:
        yield CannedResponses(give=shelf.give)

    monkeypatch.setattr(cleanup, "logged_in", log_in)
    return cleanup.main(OPTIONS)


def test_ours_are_deleted_and_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The label decides, unless we have never applied it; and each delete names just the Secret that was seen."""
    labels = {"a": OURS, "b": {"app.kubernetes.io/managed-by": "Helm"}, "c": OURS, "d": {}, "e": OURS}
    shelf = Shelf(labels=labels, never_applied=frozenset("e"))
    assert sweep(monkeypatch, shelf) == 0
    assert list(shelf.labels) == ["b", "d", "e"]
    assert shelf.preconditions == [{"uid": f"uid-{name}", "resourceVersion": "7"} for name in "ac"]
    assert capsys.readouterr() == ("2 pull Secrets named ecr-pull-secret deleted\n", "")


def test_where_nothing_is_left_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called again, it is as well as before."""
    assert sweep(monkeypatch, Shelf(labels={})) == 0
    assert capsys.readouterr() == ("0 pull Secrets named ecr-pull-secret deleted\n", "")


def test_a_namespace_on_its_way_out_takes_its_secret_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Secret that has gone meanwhile is gone: that is no failure."""
    assert sweep(monkeypatch, Shelf(labels={"a": OURS}, refuses=lambda _: (404, {}))) == 0
    assert capsys.readouterr().err == ""


def test_one_that_changes_meanwhile_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last rotation may come in between; the next look sees it as it is then."""
    shelf = Shelf(labels={"a": OURS})

    def refuse_once(namespace: str) -> tuple[int, Any] | None:
        first = namespace not in shelf.versions
        shelf.versions[namespace] = 8
        return (409, {}) if first else None

    shelf.refuses = refuse_once
    assert sweep(monkeypatch, shelf) == 0
    assert [each["resourceVersion"] for each in shelf.preconditions] == ["7", "8"]
    assert capsys.readouterr() == ("1 pull Secret named ecr-pull-secret deleted\n", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "namespace/b: the API server refused to delete Secret b/ecr-pull-secret (403): grant"),
        (500, "namespace/b: the API server could not delete Secret b/ecr-pull-secret (status 500)"),
        (409, "namespace/b: its pull Secret is being changed: stop the controller, then try again"),
    ],
)
def test_what_is_left_is_said_and_holds_nothing_else_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    """A line for each on standard error, the count on standard output, and status 1."""
    shelf = Shelf(labels=dict.fromkeys("abc", OURS), refuses=lambda name: (status, {}) if name == "b" else None)
    assert sweep(monkeypatch, shelf) == 1
    assert list(shelf.labels) == ["b"]
    said = capsys.readouterr()
    assert said.out == "2 pull Secrets named ecr-pull-secret deleted, 1 left\n"
    assert said.err.startswith(words)
    assert said.err.count("\n") == 1
