"""What server-side apply refuses whoever asks: types, content, form."""

from typing import Any

import pytest

from testsupport.objects import SECOND, pull_secret
from testsupport.rest import APPLY, RestClient


async def test_type_change_is_invalid(api: RestClient, path: str, name: str) -> None:
    """The type of a Secret never changes."""
    await api.apply(path, pull_secret(name))
    answer = await api.apply(path, {**pull_secret(name), "type": "Opaque"})
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", "type")]
    assert answer.body["details"]["kind"] == "Secret"


async def test_immutable_content_is_invalid(api: RestClient, path: str, name: str) -> None:
    """Somebody's `immutable: true` stops a rotation, force or not; metadata may still change."""
    await api.apply(path, pull_secret(name))
    (await api.merge(path, {"immutable": True})).ok()
    answer = await api.apply(path, pull_secret(name, SECOND), force=True)
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueForbidden", "data")]
    assert (await api.merge(path, {"metadata": {"labels": {"x": "y"}}})).status == 200


async def test_immutable_stays(api: RestClient, path: str, name: str) -> None:
    """`immutable` cannot be undone."""
    await api.apply(path, {**pull_secret(name), "immutable": True})
    answer = await api.merge(path, {"immutable": False})
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueForbidden", "immutable")]


@pytest.mark.parametrize("content", ["nonsense", "[]", '"text"', ""])
async def test_content_must_be_a_json_object(api: RestClient, path: str, name: str, content: str) -> None:
    """The refusal does not repeat the content."""
    answer = await api.apply(path, pull_secret(name, content))
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", "data[.dockerconfigjson]")]
    assert '"<secret contents redacted>"' in answer.message


@pytest.mark.parametrize("content", ["null", '{"auths": {"x": {"auth": "not base64"}}}', '{"auths": 1}'])
async def test_what_stands_in_the_object_is_not_looked_at(api: RestClient, path: str, name: str, content: str) -> None:
    """The server takes what would fail the credential lookup of every pod: the writer must look itself."""
    assert (await api.apply(path, pull_secret(name, content))).status == 201


async def test_content_is_required(api: RestClient, path: str, name: str) -> None:
    """A Secret of this type has its key."""
    answer = await api.apply(path, {**pull_secret(name), "data": {}})
    assert answer.causes == [("FieldValueRequired", "data[.dockerconfigjson]")]


async def test_field_manager_is_required(api: RestClient, path: str, name: str) -> None:
    """An apply says whose it is."""
    answer = await api.send("PATCH", path, body=pull_secret(name), content_type=APPLY)
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueRequired", "fieldManager")]
    assert answer.body["details"]["kind"] == "PatchOptions"


BAD_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "managedFields": ({"managedFields": [{"manager": "x"}]}, "metadata.managedFields must be nil"),
    "name": ({"name": "another"}, "the name of the object (another) does not match the name on the URL"),
    "namespace": ({"namespace": "default"}, "the namespace of the provided object does not match"),
}


@pytest.mark.parametrize("field", BAD_BODIES)
async def test_body_must_fit_the_path(api: RestClient, path: str, name: str, field: str) -> None:
    """A body that contradicts its path, or brings managedFields, is a bad request."""
    metadata, message = BAD_BODIES[field]
    answer = await api.apply(path, pull_secret(name, **metadata))
    assert answer.verdict == (400, "BadRequest")
    assert answer.message.startswith(message)


async def test_unknown_field_is_an_error_without_a_reason(api: RestClient, path: str, name: str) -> None:
    """An apply with a field that the schema lacks is 500, and its Status has no reason."""
    answer = await api.apply(path, {**pull_secret(name), "surprise": 1})
    assert answer.status == 500
    assert "reason" not in answer.body
    assert ".surprise: field not declared in schema" in answer.message
