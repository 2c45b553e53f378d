"""Plain creates, and how what is malformed or not there is refused."""

from typing import Any

import pytest

from testsupport.objects import encoded, pull_secret, secrets_in
from testsupport.rest import JSON, RestClient


async def test_create_of_what_exists_is_told_apart(api: RestClient, namespace: str, created: dict[str, Any]) -> None:
    """A second create is a 409 with another reason than a conflict has."""
    name = created["metadata"]["name"]
    answer = await api.post(secrets_in(namespace), pull_secret(name))
    assert answer.verdict == (409, "AlreadyExists")
    assert answer.message == f'secrets "{name}" already exists'


async def test_create_defaults(api: RestClient, namespace: str) -> None:
    """The server completes kind, type, name and data."""
    body = {"metadata": {"generateName": "some-"}, "stringData": {"key": "value"}}
    made = (await api.post(secrets_in(namespace), body)).ok()
    assert (made["kind"], made["apiVersion"], made["type"]) == ("Secret", "v1", "Opaque")
    assert made["data"] == {"key": encoded("value")}
    assert made["metadata"]["name"].startswith("some-")
    assert made["metadata"]["namespace"] == namespace


async def test_dry_run_leaves_nothing(api: RestClient, namespace: str, name: str) -> None:
    """With dryRun=All the answer is as if, and nothing is there."""
    assert (await api.post(secrets_in(namespace), pull_secret(name), dryRun="All")).status == 201
    assert (await api.get(f"{secrets_in(namespace)}/{name}")).status == 404


async def test_create_with_a_version_is_an_error(api: RestClient, namespace: str, name: str) -> None:
    """Creating from an object that was read is 500, and its Status has no reason."""
    answer = await api.post(secrets_in(namespace), pull_secret(name, resourceVersion="1"))
    assert answer.status == 500
    assert answer.message == "resourceVersion should not be set on objects to be created"
    assert "reason" not in answer.body


INVALID: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "no name": ({"metadata": {}}, ("FieldValueRequired", "metadata.name")),
    "bad name": ({"metadata": {"name": "A_b"}}, ("FieldValueInvalid", "metadata.name")),
    "bad label": (
        {"metadata": {"name": "a", "labels": {"a": "c d"}}},
        ("FieldValueInvalid", "metadata.labels"),
    ),
    "large annotations": (
        {"metadata": {"name": "a", "annotations": {"a": "x" * 262145}}},
        ("FieldValueTooLong", "metadata.annotations"),
    ),
    "large data": (
        {"metadata": {"name": "a"}, "data": {"a": encoded("x" * 1048577)}},
        ("FieldValueTooLong", "data"),
    ),
}


@pytest.mark.parametrize("body", INVALID)
async def test_invalid_objects_are_told_by_field(api: RestClient, namespace: str, body: str) -> None:
    """Each problem is a cause with its field."""
    content, cause = INVALID[body]
    answer = await api.post(secrets_in(namespace), content)
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [cause]


MALFORMED: dict[str, bytes] = {
    "not JSON": b"{abc",
    "nothing": b"",
    "another kind": b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}',
    "not base64": b'{"metadata":{"name":"x"},"data":{"a":"!!"}}',
}


@pytest.mark.parametrize("body", MALFORMED)
async def test_malformed_bodies_are_bad_requests(api: RestClient, namespace: str, body: str) -> None:
    """What cannot be decoded has a reason and no details."""
    answer = await api.send("POST", secrets_in(namespace), body=MALFORMED[body])
    assert answer.verdict == (400, "BadRequest")
    assert "details" not in answer.body


async def test_unknown_fields_are_dropped_unless_strict(api: RestClient, namespace: str, name: str) -> None:
    """A plain create ignores a field that it does not know; fieldValidation=Strict refuses it."""
    body = {**pull_secret(name), "surprise": 1}
    refused = await api.post(secrets_in(namespace), body, fieldValidation="Strict")
    assert refused.verdict == (400, "BadRequest")
    assert "surprise" not in (await api.post(secrets_in(namespace), body)).ok()


@pytest.mark.parametrize(("method", "at"), [("PUT", ""), ("PATCH", ""), ("POST", "/x")])
async def test_methods_that_a_path_lacks(api: RestClient, namespace: str, method: str, at: str) -> None:
    """A method that the path does not have is 405."""
    answer = await api.send(method, secrets_in(namespace) + at, body={})
    assert answer.verdict == (405, "MethodNotAllowed")
    assert answer.body["details"] == {}


async def test_media_types(api: RestClient, path: str, namespace: str, created: dict[str, Any]) -> None:
    """A body of an unknown type is 415, and so is a patch that does not say which kind of patch."""
    assert created["kind"] == "Secret"
    text = await api.send("POST", secrets_in(namespace), body=b"x", content_type="text/plain")
    assert text.verdict == (415, "UnsupportedMediaType")
    patch = await api.send("PATCH", path, body={}, content_type=JSON)
    assert patch.verdict == (415, "UnsupportedMediaType")
    assert (await api.get(path, accept="text/plain")).verdict == (406, "NotAcceptable")


async def test_a_refusal_is_a_status(api: RestClient, path: str, name: str) -> None:
    """Every refusal has the same shape, with the HTTP status in `code`."""
    answer = await api.get(path)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'secrets "{name}" not found',
        "reason": "NotFound",
        "details": {"name": name, "kind": "secrets"},
        "code": 404,
    }


async def test_unknown_resources_and_groups_differ(api: RestClient) -> None:
    """An unknown resource of a group is a Status; an unknown group is plain text."""
    resource = await api.get("/api/v1/surprises")
    assert resource.verdict == (404, "NotFound")
    assert resource.message == "the server could not find the requested resource"
    group = await api.get("/apis/surprise.example/v1/surprises")
    assert (group.status, group.body) == (404, "404 page not found\n")
