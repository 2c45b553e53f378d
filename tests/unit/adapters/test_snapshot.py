"""One-time lists of Namespaces and Secrets, of the whole cluster or of named namespaces."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.kube.api import METADATA_LIST, Response
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.fake_client import FakeClient, Request, items, ok


def raw(name: str, namespace: str | None = None) -> Mapping[str, Any]:
    found = {"name": name, "uid": f"uid-{namespace or name}", "resourceVersion": "7"}
    return {"metadata": found | ({"namespace": namespace} if namespace else {})}


def reader(client: FakeClient, *namespaces: str) -> SnapshotReader:
    return SnapshotReader(client, secret_name="pull", namespaces=namespaces)


async def names(snapshot: SnapshotReader) -> list[str]:
    return [namespace.name for namespace in await snapshot.namespaces(observe_namespace)]


async def test_namespaces_are_listed_over_the_whole_cluster() -> None:
    """One list of their metadata."""
    client = FakeClient(items(raw("a")))
    assert await names(reader(client)) == ["a"]
    (request,) = client.requests
    assert (request.verb, request.path, request.accept) == ("list", "/api/v1/namespaces", METADATA_LIST)


async def test_secrets_are_listed_by_name() -> None:
    """RBAC allows no more than that, and no other Secret is transferred."""
    client = FakeClient(items(raw("pull", "a"), raw("pull", "b")))
    found = await reader(client).secrets()
    assert {namespace: secret.uid for namespace, secret in found.items()} == {"a": "uid-a", "b": "uid-b"}
    (request,) = client.requests
    assert (request.verb, request.path) == ("list", "/api/v1/secrets")
    assert request.query == {"fieldSelector": "metadata.name=pull", "limit": "250"}


async def test_named_namespaces_are_read_one_by_one() -> None:
    """No request is cluster-wide, and a namespace that does not exist is left out."""

    def respond(request: Request) -> Response:
        if request.verb == "get":
            return ok(status=404) if request.path.endswith("/gone") else ok(raw("a"))
        return items(*([raw("pull", "a")] if "/a/" in request.path else []))

    client = FakeClient(respond=respond)
    snapshot = reader(client, "a", "gone")
    assert await names(snapshot) == ["a"]
    assert list(await snapshot.secrets()) == ["a"]
    assert [request.path for request in client.requests] == [
        "/api/v1/namespaces/a",
        "/api/v1/namespaces/gone",
        "/api/v1/namespaces/a/secrets",
        "/api/v1/namespaces/gone/secrets",
    ]


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (403, Reason.KUBERNETES_DENIED, r"refused to list Secrets named pull \(403\): grant list on secrets"),
        (500, Reason.KUBERNETES_UNAVAILABLE, r"could not list Secrets named pull \(status 500\)"),
    ],
)
async def test_refusal_names_the_objects_and_the_right(status: int, reason: Reason, message: str) -> None:
    """A 403 says what to grant."""
    with pytest.raises(FailureError, match=message) as raised:
        await reader(FakeClient(ok(status=status))).secrets()
    assert raised.value.failure.reason is reason


async def test_unreadable_namespace_is_a_failure() -> None:
    """A 403 does not say that the namespace does not exist."""
    with pytest.raises(FailureError, match=r"refused to get Namespace a \(403\): grant get on namespaces"):
        await names(reader(FakeClient(ok(status=403)), "a"))


async def test_the_last_warning_is_not_one_from_the_future() -> None:
    """Anybody may post one in the controller's name; it hides no true one."""

    def event(hour: int, note: str, year: int = 2026) -> Mapping[str, Any]:
        time = f"{year}-03-01T{hour:02}:00:00Z"
        return {"metadata": {"namespace": "a"}, "eventTime": time, "reason": "AccessDenied", "note": note}

    events = items(event(9, "forged", year=2099), event(10, "older"), event(11, "true"), event(13, "forged"))
    found = await reader(FakeClient(events)).warnings(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert [warning.note for warning in found.values()] == ["true"]
