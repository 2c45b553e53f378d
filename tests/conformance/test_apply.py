"""Server-side apply of a pull Secret: what passes, what conflicts, and what the refusals look like."""

from testsupport.objects import (
    EMPTY,
    FIRST,
    SECOND,
    content_of,
    encoded,
    foreign_secret,
    pull_secret,
    secrets_in,
    uid_of,
    version_of,
)
from testsupport.rest import METADATA, RestClient

DATA_FIELD = ".data..dockerconfigjson"


async def test_creates_and_answers_with_the_object(api: RestClient, path: str, name: str) -> None:
    """The answer carries what a later conditional write needs: uid and resourceVersion."""
    answer = await api.apply(path, pull_secret(name))
    assert answer.status == 201
    assert answer.body["kind"] == "Secret"
    assert answer.body["type"] == "kubernetes.io/dockerconfigjson"
    assert uid_of(answer.body)
    assert version_of(answer.body).isdigit()


async def test_answers_with_metadata_alone_if_asked(api: RestClient, path: str, name: str) -> None:
    """A writer that needs only the new version keeps the token off the way back."""
    answer = await api.apply(path, pull_secret(name), accept=METADATA)
    assert answer.status == 201
    assert answer.body["kind"] == "PartialObjectMetadata"
    assert "data" not in answer.body


async def test_an_object_that_is_going_is_changed_but_not_saved(api: RestClient, path: str, name: str) -> None:
    """An apply onto an object that only a finalizer keeps is 200 and shows its deletionTimestamp."""
    (await api.apply(path, pull_secret(name, finalizers=["pullkeeper.dev/test"]), manager="x")).ok()
    (await api.delete(path)).ok()
    answer = await api.apply(path, pull_secret(name, SECOND), force=True)
    assert answer.status == 200
    assert answer.body["metadata"]["deletionTimestamp"]


async def test_same_content_changes_nothing(api: RestClient, path: str, name: str, namespace: str) -> None:
    """Applying what is there is 200 with the same resourceVersion, and no watch event."""
    created = (await api.apply(path, pull_secret(name))).ok()
    query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": version_of(created)}
    async with api.watch(secrets_in(namespace), **query) as events:
        repeated = await api.apply(path, pull_secret(name))
        changed = (await api.apply(path, pull_secret(name, SECOND))).ok()
        assert version_of((await events.next())["object"]) == version_of(changed)
    assert repeated.status == 200
    assert version_of(repeated.body) == version_of(created)


async def test_new_content_keeps_the_uid(api: RestClient, path: str, name: str) -> None:
    """A rotation is the same object with a greater resourceVersion."""
    created = (await api.apply(path, pull_secret(name))).ok()
    changed = (await api.apply(path, pull_secret(name, SECOND))).ok()
    assert uid_of(changed) == uid_of(created)
    assert int(version_of(changed)) > int(version_of(created))


async def test_a_field_left_out_is_removed(api: RestClient, path: str, name: str) -> None:
    """An apply is the whole of what its manager wants: an annotation no longer applied goes."""
    (await api.apply(path, pull_secret(name, annotations={"pullkeeper.dev/a": "1"}))).ok()
    changed = (await api.apply(path, pull_secret(name, annotations={"pullkeeper.dev/b": "1"}))).ok()
    assert changed["metadata"]["annotations"] == {"pullkeeper.dev/b": "1"}


async def test_conflicts_with_a_creator(api: RestClient, path: str, name: str, namespace: str) -> None:
    """Without force, an apply never changes what a create by others has set."""
    await api.post(secrets_in(namespace), foreign_secret(name, EMPTY), fieldManager="kubectl-create")
    answer = await api.apply(path, pull_secret(name))
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"] == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-create" using v1',
                "field": DATA_FIELD,
            }
        ]
    }
    assert answer.message == (f'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: {DATA_FIELD}')
    assert content_of((await api.get(path)).ok()) == EMPTY


async def test_conflicts_with_another_applier(api: RestClient, path: str, name: str) -> None:
    """Against another apply the conflict names the manager without a version."""
    await api.apply(path, pull_secret(name, EMPTY), manager="helm")
    answer = await api.apply(path, pull_secret(name))
    assert answer.verdict == (409, "Conflict")
    assert answer.body["details"]["causes"][0]["message"] == 'conflict with "helm"'


async def test_conflicts_with_content_of_nobody(api: RestClient, path: str, name: str) -> None:
    """An object without managedFields is guarded too, under the name before-first-apply."""
    await api.apply(path, pull_secret(name, EMPTY), manager="helm")
    (await api.merge(path, {"metadata": {"managedFields": [{}]}})).ok()
    answer = await api.apply(path, pull_secret(name))
    assert answer.verdict == (409, "Conflict")
    assert answer.causes == [("FieldManagerConflict", DATA_FIELD)]
    assert '"before-first-apply"' in answer.message


async def test_conflicts_on_the_type(api: RestClient, path: str, name: str, namespace: str) -> None:
    """A Secret of another type conflicts by its type, whatever keys it has."""
    opaque = {"metadata": {"name": name}, "data": {"password": encoded("x")}}
    await api.post(secrets_in(namespace), {**opaque, "kind": "Secret", "apiVersion": "v1"})
    answer = await api.apply(path, pull_secret(name))
    assert answer.causes == [("FieldManagerConflict", ".type")]
    forced = await api.apply(path, pull_secret(name), force=True)
    assert forced.verdict == (422, "Invalid")


async def test_several_conflicts_are_told_together(api: RestClient, path: str, name: str) -> None:
    """Every conflicting field is a cause of its own."""
    await api.apply(path, pull_secret(name, EMPTY, annotations={"a": "theirs"}), manager="helm")
    answer = await api.apply(path, pull_secret(name, annotations={"a": "ours"}))
    fields = [field for _, field in answer.causes]
    assert sorted(fields) == [DATA_FIELD, ".metadata.annotations.a"]
    assert answer.message.startswith('Apply failed with 2 conflicts: conflicts with "helm":')


async def test_identical_foreign_content_is_no_conflict(api: RestClient, path: str, name: str, namespace: str) -> None:
    """Fields that are as applied become shared; fields that nobody had are added."""
    await api.post(secrets_in(namespace), foreign_secret(name, FIRST), fieldManager="kubectl-create")
    answer = await api.apply(path, pull_secret(name, FIRST))
    assert answer.status == 200
    managers = [entry["manager"] for entry in answer.body["metadata"]["managedFields"]]
    assert managers == ["pullkeeper", "kubectl-create"]


async def test_force_takes_the_fields_over(api: RestClient, path: str, name: str, namespace: str) -> None:
    """With force the conflicting field changes hands; the uid stays."""
    theirs = (await api.post(secrets_in(namespace), foreign_secret(name, EMPTY), fieldManager="x")).ok()
    ours = (await api.apply(path, pull_secret(name), force=True)).ok()
    assert content_of(ours) == FIRST
    assert uid_of(ours) == uid_of(theirs)
