"""`pullkeeper cleanup`: what it deletes, what it leaves alone, and what it prints."""

import argparse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.cli import cleanup
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.kube.api import Response
from testsupport.fake_client import FakeClient, Request, items, ok

OPTIONS = argparse.Namespace(config=None, secret_name=None, take_lease=False, unwatched=False)
OURS = {"app.kubernetes.io/managed-by": "pullkeeper"}


@dataclass(kw_only=True)
class SecretStore:
    """Secrets with the pull Secret's name by namespace, and how a deletion is refused."""

    labels: dict[str, dict[str, str]]
    versions: dict[str, int] = field(default_factory=dict)
    refuses: Callable[[str], Response | None] = lambda _: None
    preconditions: list[Any] = field(default_factory=list)
    never_applied: frozenset[str] = frozenset()
    written_by: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    """The class that a Namespace names."""

    def respond(self, request: Request) -> Response:
        if request.verb == "get":
            return ok(self._namespace(request.path.split("/")[4]))
        if request.path == "/api/v1/namespaces":
            return items(*map(self._namespace, self.labels))
        if request.verb == "list":
            assert request.query == {"fieldSelector": "metadata.name=ecr-pull-secret", "limit": "250"}
            return items(*map(self._item, self.labels))
        namespace = request.path.split("/")[4]
        self.preconditions.append(request.body["preconditions"])
        if refusal := self.refuses(namespace):
            return refusal
        del self.labels[namespace]
        return ok()

    def _namespace(self, name: str) -> dict[str, Any]:
        annotations = {"pullkeeper.dev/class": self.classes[name]} if name in self.classes else {}
        return {"metadata": {"name": name, "resourceVersion": "1", "annotations": annotations}}

    def _item(self, namespace: str) -> dict[str, Any]:
        version = str(self.versions.get(namespace, 7))
        found: dict[str, Any] = {"namespace": namespace, "uid": f"uid-{namespace}", "resourceVersion": version}
        applied = [] if namespace in self.never_applied else [{"manager": "pullkeeper", "operation": "Apply"}]
        found["annotations"] = {"pullkeeper.dev/written-by": self.written_by.get(namespace, "")}
        return {"metadata": {**found, "labels": self.labels[namespace], "managedFields": applied}}


def run_cleanup(monkeypatch: pytest.MonkeyPatch, store: SecretStore) -> int:
    @asynccontextmanager
    async def connected(_: argparse.Namespace) -> AsyncIterator[FakeClient]:
        yield FakeClient(respond=store.respond)

    monkeypatch.setattr(cleanup, "connected", connected)
    return cleanup.main(OPTIONS)


def test_only_our_secrets_are_deleted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the label, unless we never wrote the Secret; each deletion has preconditions."""
    labels = {"a": OURS, "b": {"app.kubernetes.io/managed-by": "Helm"}, "c": OURS, "d": {}, "e": OURS}
    store = SecretStore(labels=labels, never_applied=frozenset("e"))
    assert run_cleanup(monkeypatch, store) == 0
    assert list(store.labels) == ["b", "d", "e"]
    assert store.preconditions == [{"uid": f"uid-{name}", "resourceVersion": "7"} for name in "ac"]
    assert capsys.readouterr() == ("2 pull Secrets named ecr-pull-secret deleted\n", "")


def test_a_second_run_finds_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Cleanup is idempotent."""
    assert run_cleanup(monkeypatch, SecretStore(labels={})) == 0
    assert capsys.readouterr() == ("0 pull Secrets named ecr-pull-secret deleted\n", "")


def test_a_secret_that_is_gone_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A namespace that is being deleted deletes its Secret as well."""
    assert run_cleanup(monkeypatch, SecretStore(labels={"a": OURS}, refuses=lambda _: ok(status=404))) == 0
    assert capsys.readouterr().err == ""


def test_a_secret_that_changes_meanwhile_is_listed_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A last rotation may come in between."""
    store = SecretStore(labels={"a": OURS})

    def refuse_once(namespace: str) -> Response | None:
        first = namespace not in store.versions
        store.versions[namespace] = 8
        return ok(status=409) if first else None

    store.refuses = refuse_once
    assert run_cleanup(monkeypatch, store) == 0
    assert [each["resourceVersion"] for each in store.preconditions] == ["7", "8"]
    assert capsys.readouterr() == ("1 pull Secret named ecr-pull-secret deleted\n", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "namespace/b: the API server refused to delete Secret b/ecr-pull-secret (403): grant"),
        (500, "namespace/b: the API server could not delete Secret b/ecr-pull-secret (status 500)"),
        (409, "namespace/b: its pull Secret keeps changing: stop the controller, then try again"),
    ],
)
def test_remaining_secrets_are_reported_and_delay_no_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    """One line each on standard error, the count on standard output, and exit status 1."""
    store = SecretStore(
        labels=dict.fromkeys("abc", OURS), refuses=lambda name: ok(status=status) if name == "b" else None
    )
    assert run_cleanup(monkeypatch, store) == 1
    assert list(store.labels) == ["b"]
    said = capsys.readouterr()
    assert said.out == "2 pull Secrets named ecr-pull-secret deleted, 1 remaining\n"
    assert said.err.startswith(words)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(("denied", "status"), [("b", 0), ("ab", 1)])
def test_a_watched_namespace_that_is_gone_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], denied: str, status: int
) -> None:
    """Its Role went with it, so listing there is denied; that is said. Denied everywhere, there is no right at all."""
    monkeypatch.setenv("PULLKEEPER_WATCH_NAMESPACES", "a,b")
    labels = {"a": OURS}

    def respond(request: Request) -> Response:
        namespace = request.path.split("/")[4]
        if request.verb == "list" and namespace in denied:
            return ok(status=403)
        store = SecretStore(labels=labels if namespace == "a" else {})
        return store.respond(request)

    @asynccontextmanager
    async def connected(_: argparse.Namespace) -> AsyncIterator[FakeClient]:
        yield FakeClient(respond=respond)

    monkeypatch.setattr(cleanup, "connected", connected)
    assert cleanup.main(OPTIONS) == status
    said = capsys.readouterr()
    lines = [f"namespace/{name}: skipped: it does not exist, or listing its Secrets is denied\n" for name in denied]
    assert said.err == "".join(lines)
    assert said.out.startswith("0 pull Secrets" if "a" in denied else "1 pull Secret ")


def test_what_no_controller_watches_any_more_is_deleted_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `watchNamespaces` has become shorter: everywhere but in the namespaces that it names."""
    monkeypatch.setenv("PULLKEEPER_WATCH_NAMESPACES", "a,b")
    monkeypatch.setattr(OPTIONS, "unwatched", True)
    store = SecretStore(labels={"a": OURS, "b": OURS, "c": OURS, "d": {}})
    assert run_cleanup(monkeypatch, store) == 0
    assert list(store.labels) == ["a", "b", "d"]
    assert capsys.readouterr().out == "1 pull Secret named ecr-pull-secret deleted\n"


def test_what_another_installation_keeps_fresh_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not watched by this one, and yet not abandoned; it is said whose it is."""
    monkeypatch.setenv("PULLKEEPER_WATCH_NAMESPACES", "a")
    monkeypatch.setattr(OPTIONS, "unwatched", True)
    by = {"a": "other/pullkeeper", "b": "pullkeeper-system/pullkeeper", "c": "other/\x1b[31m"}
    store = SecretStore(labels=dict.fromkeys("abc", OURS), written_by=by)
    assert run_cleanup(monkeypatch, store) == 0
    assert list(store.labels) == ["a", "c"]
    assert capsys.readouterr().err == "left alone what others have written: other/\\x1b[31m\n"


@pytest.mark.parametrize(("own", "left"), [("", ["b", "c"]), ("canary", ["a", "c"])])
def test_namespaces_of_other_classes_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: str, left: list[str]
) -> None:
    """Whoever wrote the Secret: it is the other installation's, or about to be. It is said where they are."""
    monkeypatch.setenv("PULLKEEPER_CLASS", own)
    classes = {"b": "canary", "c": "other", "d": "no class"}
    store = SecretStore(labels=dict.fromkeys("abcd" if own == "" else "abc", OURS), classes=classes)
    assert run_cleanup(monkeypatch, store) == 0
    assert list(store.labels) == left
    said = "2 namespaces are of another class and left to its installation, if there is one: "
    assert capsys.readouterr().err == f"{said}{', '.join(left)}\n"


@pytest.mark.parametrize("given", [True, False])
def test_what_another_installation_of_the_class_has_written_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    given: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    """As far as it is known who asks: without the settings there may be one installation under any name."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("leaseName: a\nleaseNamespace: b\n")
    monkeypatch.setattr(OPTIONS, "config", settings if given else None)
    store = SecretStore(labels=dict.fromkeys("abc", OURS), written_by={"a": "b/a", "b": "other/pullkeeper"})
    assert run_cleanup(monkeypatch, store) == 0
    assert list(store.labels) == (["b"] if given else [])
    said = "left alone what others have written: other/pullkeeper\n"
    assert capsys.readouterr().err == (said if given else "")


def test_everything_is_never_meant_by_unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when `--config` was forgotten: without `watchNamespaces` every namespace would seem unwatched."""
    monkeypatch.setattr(OPTIONS, "unwatched", True)
    store = SecretStore(labels={"a": OURS})
    with pytest.raises(InvalidInputError, match="--unwatched: found settings without `watchNamespaces`"):
        run_cleanup(monkeypatch, store)
    assert list(store.labels) == ["a"]
