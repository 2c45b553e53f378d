"""Conditional deletes, patches and replacements."""

from typing import Any

import pytest

from testsupport import objects
from testsupport.objects import SECOND, SOME_UID, pull_secret, uid_of, version_of
from testsupport.rest import JSON_PATCH, STRATEGIC, RestClient


def conditions(**preconditions: str) -> dict[str, Any]:
    return {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}


async def test_delete_answers_with_the_uid(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A delete whose conditions hold is a Status of Success that names what went."""
    answer = await api.delete(path, conditions(uid=uid_of(created), resourceVersion=version_of(created)))
    assert answer.status == 200
    assert answer.body["status"] == "Success"
    assert answer.body["details"] == {"name": created["metadata"]["name"], "kind": "secrets", "uid": uid_of(created)}
    assert (await api.get(path)).verdict == (404, "NotFound")


@pytest.mark.parametrize("wrong", [{"uid": SOME_UID}, {"resourceVersion": "1"}], ids=["uid", "version"])
async def test_delete_with_a_wrong_condition_conflicts(
    api: RestClient, path: str, created: dict[str, Any], wrong: dict[str, str]
) -> None:
    """A replaced or changed object stays; the details name the kind, not the resource."""
    right = {"uid": uid_of(created), "resourceVersion": version_of(created)}
    answer = await api.delete(path, conditions(**{**right, **wrong}))
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"] == {"name": created["metadata"]["name"], "kind": "Secret"}
    assert "in the precondition (" in answer.message
    assert (await api.get(path)).status == 200


async def test_delete_of_a_missing_object_is_not_found(api: RestClient, path: str, name: str) -> None:
    """Conditions do not turn a 404 into a conflict."""
    answer = await api.delete(path, conditions(uid=SOME_UID))
    assert answer.verdict == (404, "NotFound")
    assert answer.body["details"] == {"name": name, "kind": "secrets"}


async def test_delete_waits_for_finalizers(api: RestClient, path: str, name: str) -> None:
    """With a finalizer a delete answers with the object, which goes when the last finalizer does."""
    (await api.apply(path, pull_secret(name, finalizers=["pullkeeper.dev/test"]))).ok()
    answer = (await api.delete(path)).ok()
    assert (answer["kind"], "deletionTimestamp" in answer["metadata"]) == ("Secret", True)
    (await api.merge(path, {"metadata": {"finalizers": None}})).ok()
    assert (await api.get(path)).status == 404


async def test_failed_test_of_a_json_patch_is_invalid(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A failed `test` is 422 with details that say nothing; nothing of the patch is done."""
    answer = await api.json_patch(
        path,
        {"op": "add", "path": "/metadata/labels/x", "value": "y"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
    )
    assert answer.verdict == (422, "Invalid")
    assert answer.body["details"] == {}
    assert answer.message == "the server rejected our request due to an error in our request"
    assert version_of((await api.get(path)).ok()) == version_of(created)


async def test_json_patch_on_the_tested_version(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A `test` that holds lets the rest of the patch through."""
    changed = await api.json_patch(
        path,
        {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(created)},
        {"op": "add", "path": "/metadata/labels/x", "value": "y"},
    )
    assert changed.ok()["metadata"]["labels"]["x"] == "y"


@pytest.mark.parametrize("operation", ["remove", "test"])
async def test_json_patch_of_an_absent_path_is_invalid(
    api: RestClient, path: str, created: dict[str, Any], operation: str
) -> None:
    """A path that is not there is refused just like a failed test."""
    assert "annotations" in created["metadata"]
    patch = {"op": operation, "path": "/metadata/annotations/absent", "value": "x"}
    assert (await api.json_patch(path, patch)).verdict == (422, "Invalid")


async def test_json_patch_replaces_what_is_absent(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """Against RFC 6902, `replace` of an absent key of a map adds it."""
    assert "x" not in created["metadata"]["labels"]
    patch = {"op": "replace", "path": "/metadata/labels/x", "value": "y"}
    assert (await api.json_patch(path, patch)).ok()["metadata"]["labels"]["x"] == "y"


async def test_json_patch_tests_for_absence(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A `test` for null holds where there is nothing, and fails where there is something."""
    assert "x" not in created["metadata"]["labels"]
    absent = {"op": "test", "path": "/metadata/labels/x", "value": None}
    assert (await api.json_patch(path, absent)).status == 200
    present = {"op": "test", "path": "/metadata/labels", "value": None}
    assert (await api.json_patch(path, present)).verdict == (422, "Invalid")


async def test_json_patch_is_a_list(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """Anything but a list of operations is a bad request."""
    answer = await api.send("PATCH", path, body={"metadata": created["metadata"]}, content_type=JSON_PATCH)
    assert answer.verdict == (400, "BadRequest")


async def test_merge_patch_merges_and_removes(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """Maps merge, null removes, the rest stays."""
    assert created["metadata"]["annotations"]
    patch = {"metadata": {"labels": {"x": "y"}, "annotations": None}}
    changed = (await api.merge(path, patch)).ok()
    assert changed["metadata"]["labels"] == {objects.MANAGED_BY: "pullkeeper", "x": "y"}
    assert "annotations" not in changed["metadata"]
    assert changed["data"] == created["data"]


async def test_merge_patch_with_a_stale_version_conflicts(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A resourceVersion in a merge patch is an optimistic lock."""
    (await api.merge(path, {"metadata": {"labels": {"x": "y"}}})).ok()
    stale = {"metadata": {"resourceVersion": version_of(created), "labels": {"x": "z"}}}
    assert (await api.merge(path, stale)).verdict == (409, "Conflict")


async def test_strategic_merge_patch_of_maps(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """What kubectl label and annotate send merges as a merge patch does."""
    assert "x" not in created["metadata"]["labels"]
    body = {"metadata": {"labels": {"x": "y"}}}
    changed = (await api.send("PATCH", path, body=body, content_type=STRATEGIC)).ok()
    assert changed["metadata"]["labels"] == {objects.MANAGED_BY: "pullkeeper", "x": "y"}


async def test_patch_of_a_missing_object_is_not_found(api: RestClient, path: str) -> None:
    """Only an apply creates."""
    assert (await api.merge(path, {})).verdict == (404, "NotFound")
    assert (await api.json_patch(path)).verdict == (404, "NotFound")


async def test_put_with_a_stale_version_conflicts(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A replacement of what has changed since is refused, and details name the resource."""
    (await api.merge(path, {"metadata": {"labels": {"x": "y"}}})).ok()
    answer = await api.put(path, created)
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"] == {"name": created["metadata"]["name"], "kind": "secrets"}


async def test_put_without_a_version_overwrites(api: RestClient, path: str, created: dict[str, Any]) -> None:
    """A Secret (unlike a Lease) may be replaced without a resourceVersion."""
    answer = await api.put(path, pull_secret(created["metadata"]["name"], SECOND))
    assert objects.content_of(answer.ok()) == SECOND


async def test_put_of_a_missing_secret_is_not_found(api: RestClient, path: str, name: str) -> None:
    """A replacement of a Secret never creates."""
    assert (await api.put(path, pull_secret(name))).verdict == (404, "NotFound")
