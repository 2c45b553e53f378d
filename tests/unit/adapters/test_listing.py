"""Paged lists: joined, translated, and started over when their continue token expires."""

import pytest

from pullkeeper.adapters.kubernetes.listing import find_namespace, list_all, list_namespaces, read_namespace
from pullkeeper.domain.errors.failures import FailureError, Reason, StaleObservationError
from testsupport.fake_client import FakeClient, items, ok


async def names(client: FakeClient) -> tuple[list[str], int]:
    return await list_all(
        client,
        "/things",
        what="Things",
        grant="list on things",
        translate=lambda item: str(item["name"]),
        query={"fieldSelector": "a=b"},
        accept="metadata",
    )


async def test_pages_are_joined() -> None:
    """Each page is requested with the continue token of the previous one; the version is that of the last page."""
    client = FakeClient(
        items({"name": "a"}, more="x"), items({"name": "b"}, more="y"), items({"name": "c"}, version=12)
    )
    assert await names(client) == (["a", "b", "c"], 12)
    assert {(request.verb, request.path, request.accept) for request in client.requests} == {
        ("list", "/things", "metadata")
    }
    first = {"fieldSelector": "a=b", "limit": "250"}
    assert [request.query for request in client.requests] == [
        first,
        {**first, "continue": "x"},
        {**first, "continue": "y"},
    ]


async def test_empty_list_may_be_null() -> None:
    """Go encodes an empty list as null."""
    assert await names(FakeClient(ok({"items": None, "metadata": {"resourceVersion": "9"}}))) == ([], 9)


async def test_list_whose_continue_token_expires_starts_over() -> None:
    """The pages before the 410 are discarded, because some of their objects may be gone."""
    client = FakeClient(items({"name": "a"}, more="x"), ok(status=410), items({"name": "b"}))
    assert await names(client) == (["b"], 9)
    assert [request.query.get("continue") for request in client.requests] == [None, "x", None]


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (403, Reason.KUBERNETES_DENIED, "the API server refused to list Things (403): grant list on things"),
        (410, Reason.KUBERNETES_UNAVAILABLE, "the API server could not list Things (status 410)"),
        (500, Reason.KUBERNETES_UNAVAILABLE, "the API server could not list Things (status 500)"),
    ],
)
async def test_failed_list_names_the_objects_and_the_right(status: int, reason: Reason, message: str) -> None:
    """A 410 without a continue token is a failure like any other, and not repeated at once."""
    with pytest.raises(FailureError) as raised:
        await names(FakeClient(ok(status=status)))
    assert (raised.value.failure.reason, raised.value.failure.message) == (reason, message)


async def test_relist_of_namespaces_survives_an_expired_continue_token() -> None:
    """In a large cluster the token may expire before the last page is requested."""
    client = FakeClient(items(raw("a"), more="x"), ok(status=410), items(raw("b"), version=12))
    namespaces, version = await list_namespaces(client)
    assert ([namespace.name for namespace in namespaces], version) == (["b"], 12)
    assert {request.path for request in client.requests} == {"/api/v1/namespaces"}


def raw(name: str) -> dict[str, object]:
    """Return a Namespace's metadata as the API server does."""
    return {"metadata": {"name": name, "uid": name, "resourceVersion": "7"}}


async def test_a_namespace_is_found_by_a_list_of_its_name() -> None:
    """That takes no right to get it; it is not there if the list is empty."""
    client = FakeClient(items(raw("a"), version=12), items(version=12))
    found = await find_namespace(client, "a", 12)
    assert found is not None
    assert (found.name, found.resource_version) == ("a", 7)
    assert await find_namespace(client, "a", 12) is None
    assert {request.query["fieldSelector"] for request in client.requests} == {"metadata.name=a"}


async def test_a_list_that_is_older_than_what_depends_on_it_tells_nothing() -> None:
    """Some cache has answered."""
    with pytest.raises(StaleObservationError):
        await find_namespace(FakeClient(items(version=11)), "a", 12)


async def test_a_namespace_is_read_where_there_is_no_right_to_list() -> None:
    """One that does not exist is no failure; a missing right is one that says which."""
    client = FakeClient(ok(raw("a")), ok(status=404), ok(status=403))
    found = await read_namespace(client, "a", 12)
    assert found is not None
    assert found.resource_version == 7
    assert await read_namespace(client, "a", 12) is None
    with pytest.raises(FailureError, match="get and watch on namespaces"):
        await read_namespace(client, "a", 12)
    assert {(request.verb, request.path) for request in client.requests} == {("get", "/api/v1/namespaces/a")}
