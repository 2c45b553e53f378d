"""Listings of Namespaces and Secrets: in chunks, over the whole cluster or in the namespaces that are named."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.canned_responses import CannedResponses


def metadata(name: str, namespace: str | None = None) -> Mapping[str, Any]:
    found = {"name": name, "uid": f"uid-{namespace or name}", "resourceVersion": "7"}
    return {"metadata": found | ({"namespace": namespace} if namespace else {})}


def page(items: Sequence[Mapping[str, Any]] | None, more: str = "") -> tuple[int, Any]:
    return 200, {"items": items, "metadata": {"resourceVersion": "9", "continue": more}}


async def test_chunks_are_put_together() -> None:
    """Each chunk is asked for by what the one before said, and a list of nothing is one too."""
    pages = {None: page([metadata("a")], "next"), "next": page(None)}
    server = CannedResponses(give=lambda _verb, _path, query, _body: pages[query.get("continue")])
    assert [view.name for view in await SnapshotReader(server, secret_name="pull").namespaces(observe_namespace)] == [
        "a"
    ]
    assert server.asked == [
        ("list", "/api/v1/namespaces", {"limit": "500"}),
        ("list", "/api/v1/namespaces", {"limit": "500", "continue": "next"}),
    ]


async def test_a_listing_that_has_grown_too_old_is_begun_again() -> None:
    """What was had of it is dropped, so nothing is there twice."""
    answers = [page([metadata("a")], "next"), (410, {}), page([metadata("b")])]
    server = CannedResponses(give=lambda *_: answers.pop(0))
    assert [view.name for view in await SnapshotReader(server, secret_name="pull").namespaces(observe_namespace)] == [
        "b"
    ]


async def test_secrets_are_asked_for_by_name_alone() -> None:
    """That is all that the rights allow, and it brings no other Secret."""
    server = CannedResponses(give=lambda *_: page([metadata("pull", "a"), metadata("pull", "b")]))
    found = await SnapshotReader(server, secret_name="pull").secrets()
    assert {namespace: secret.uid for namespace, secret in found.items()} == {"a": "uid-a", "b": "uid-b"}
    assert server.asked == [("list", "/api/v1/secrets", {"fieldSelector": "metadata.name=pull", "limit": "500"})]


async def test_bound_to_namespaces_each_is_asked_for_alone() -> None:
    """No request goes over the whole cluster; a namespace that is not there is left out."""

    def give(verb: str, path: str, _query: object, _body: object) -> tuple[int, Any]:
        if verb == "get":
            return (404, {}) if path.endswith("/gone") else (200, metadata("a"))
        return page([metadata("pull", "a")] if "/a/" in path else [])

    server = CannedResponses(give=give)
    listing = SnapshotReader(server, secret_name="pull", namespaces=("a", "gone"))
    assert [view.name for view in await listing.namespaces(observe_namespace)] == ["a"]
    assert list(await listing.secrets()) == ["a"]
    assert [path for _, path, _ in server.asked] == [
        "/api/v1/namespaces/a",
        "/api/v1/namespaces/gone",
        "/api/v1/namespaces/a/secrets",
        "/api/v1/namespaces/gone/secrets",
    ]


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (403, Reason.KUBERNETES_DENIED, r"refused to list Secrets named pull \(403\): grant that right"),
        (500, Reason.KUBERNETES_UNAVAILABLE, r"could not list Secrets named pull \(status 500\)"),
    ],
)
async def test_a_refusal_says_what_was_asked(status: int, reason: Reason, words: str) -> None:
    """With its reason, for whoever can grant it."""
    listing = SnapshotReader(CannedResponses(give=lambda *_: (status, {})), secret_name="pull")
    with pytest.raises(FailureError, match=words) as raised:
        await listing.secrets()
    assert raised.value.failure.reason is reason


async def test_a_namespace_that_may_not_be_read_is_a_failure() -> None:
    """Unlike one that is not there."""
    listing = SnapshotReader(CannedResponses(give=lambda *_: (403, {})), secret_name="pull", namespaces=("a",))
    with pytest.raises(FailureError, match=r"refused to get Namespace a \(403\)"):
        await listing.namespaces(observe_namespace)
