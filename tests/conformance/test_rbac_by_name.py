"""What a ServiceAccount may do whose only rule names Secrets by resourceNames."""

from typing import Any

import pytest

from testsupport import objects
from testsupport.access import create_user, may, rule
from testsupport.objects import pull_secret, secrets_in
from testsupport.rest import METADATA, METADATA_LIST, RestClient

ALL_SECRETS = "/api/v1/secrets"

REFUSED_SELECTIONS: dict[str, dict[str, str]] = {
    "another name": {"fieldSelector": "metadata.name=another"},
    "every other name": {"fieldSelector": "metadata.name!=NAME"},
    "a label": {"labelSelector": "app.kubernetes.io/managed-by=pullkeeper"},
    "a type": {"fieldSelector": "type=kubernetes.io/dockerconfigjson"},
    "nothing": {},
}


def chosen(selection: str, name: str) -> dict[str, str]:
    return {key: value.replace("NAME", name) for key, value in REFUSED_SELECTIONS[selection].items()}


async def test_lists_the_whole_cluster_by_name(controller: RestClient, namespace: str, name: str) -> None:
    """A field selector carries the name into authorization."""
    (await controller.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))).ok()
    listed = (await controller.get(ALL_SECRETS, fieldSelector=f"metadata.name={name}")).ok()
    assert [item["metadata"]["namespace"] for item in listed["items"]] == [namespace]


async def test_lists_metadata_by_name(controller: RestClient, namespace: str, name: str) -> None:
    """The metadata of a list needs no other permission than the list."""
    (await controller.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))).ok()
    selector = f"metadata.name={name}"
    answer = await controller.get(ALL_SECRETS, accept=METADATA_LIST, fieldSelector=selector, limit=500)
    listed = answer.ok()
    assert [item["metadata"]["name"] for item in listed["items"]] == [name]


async def test_more_terms_beside_the_name_are_fine(controller: RestClient, name: str) -> None:
    """Terms after the name only narrow, so authorization still sees the name."""
    selector = f"metadata.name={name},type=kubernetes.io/dockerconfigjson"
    assert (await controller.get(ALL_SECRETS, fieldSelector=selector)).ok()["items"] == []


@pytest.mark.parametrize("selection", REFUSED_SELECTIONS)
async def test_lists_by_anything_else_are_forbidden(controller: RestClient, name: str, selection: str) -> None:
    """Without exactly the name in the field selector a list is forbidden."""
    answer = await controller.get(ALL_SECRETS, **chosen(selection, name))
    assert answer.verdict == (403, "Forbidden")


async def test_watches_the_whole_cluster_by_name(controller: RestClient, namespace: str, name: str) -> None:
    """A watch is authorized as the list is."""
    selector = f"metadata.name={name}"
    async with controller.watch(ALL_SECRETS, accept=METADATA, fieldSelector=selector) as events:
        (await controller.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))).ok()
        assert (await events.next())["type"] == "ADDED"


async def test_watches_with_initial_events_by_name(controller: RestClient, name: str) -> None:
    """A streaming list needs no other permission than the watch."""
    query: dict[str, Any] = {
        "fieldSelector": f"metadata.name={name}",
        "sendInitialEvents": True,
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": True,
    }
    async with controller.watch(ALL_SECRETS, accept=METADATA, **query) as events:
        assert (await events.next())["type"] == "BOOKMARK"


@pytest.mark.parametrize("selection", REFUSED_SELECTIONS)
async def test_watches_by_anything_else_are_forbidden(controller: RestClient, name: str, selection: str) -> None:
    """Without exactly the name in the field selector a watch is forbidden before it streams anything."""
    answer = await controller.get(ALL_SECRETS, watch=True, timeoutSeconds=1, **chosen(selection, name))
    assert answer.status == 403


async def test_apply_creates_the_name(controller: RestClient, namespace: str, name: str) -> None:
    """A creating apply is authorized with the name set, as patch and as create."""
    answer = await controller.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))
    assert answer.status == 201


async def test_apply_of_another_name_is_forbidden(controller: RestClient, namespace: str) -> None:
    """The name in the path is the name that is authorized."""
    answer = await controller.apply(f"{secrets_in(namespace)}/another", pull_secret("another"))
    assert answer.verdict == (403, "Forbidden")
    assert answer.body["details"] == {"name": "another", "kind": "secrets"}
    assert 'cannot patch resource "secrets" in API group "" in the namespace' in answer.message


@pytest.mark.parametrize("is_own", [True, False], ids=["own name", "another name"])
async def test_post_is_forbidden(controller: RestClient, namespace: str, name: str, *, is_own: bool) -> None:
    """A plain create carries no name into authorization, so no rule by name allows it."""
    answer = await controller.post(secrets_in(namespace), pull_secret(name if is_own else "another"))
    assert answer.verdict == (403, "Forbidden")
    assert answer.body["details"] == {"kind": "secrets"}


async def test_delete_of_a_collection_is_forbidden(controller: RestClient, namespace: str, name: str) -> None:
    """Deleting by selector is a verb of its own."""
    answer = await controller.delete(secrets_in(namespace), fieldSelector=f"metadata.name={name}")
    assert answer.verdict == (403, "Forbidden")


async def test_get_and_delete_are_bounded_by_the_name(controller: RestClient, namespace: str, name: str) -> None:
    """Another name is forbidden even where it does not exist: 403 comes before 404."""
    path = secrets_in(namespace)
    assert (await controller.get(f"{path}/{name}")).verdict == (404, "NotFound")
    assert (await controller.delete(f"{path}/{name}")).verdict == (404, "NotFound")
    assert (await controller.get(f"{path}/another")).verdict == (403, "Forbidden")
    assert (await controller.delete(f"{path}/another")).verdict == (403, "Forbidden")


async def test_put_needs_update(controller: RestClient, namespace: str, name: str) -> None:
    """A replacement is the verb update, which patch does not imply."""
    answer = await controller.put(f"{secrets_in(namespace)}/{name}", pull_secret(name))
    assert answer.verdict == (403, "Forbidden")


async def test_apply_into_a_terminating_namespace_is_forbidden(
    api: RestClient, controller: RestClient, name: str
) -> None:
    """The refusal says by its cause that the namespace, not a permission, is the matter."""
    namespace = await objects.terminate_namespace(api)
    answer = await controller.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))
    assert answer.verdict == (403, "Forbidden")
    assert answer.causes == [("NamespaceTerminating", "metadata.namespace")]
    assert "because it is being terminated" in answer.message


async def test_apply_into_a_missing_namespace_is_not_found(controller: RestClient, name: str) -> None:
    """The details name the namespace, not the Secret."""
    answer = await controller.apply(f"{secrets_in('contract-missing')}/{name}", pull_secret(name))
    assert answer.verdict == (404, "NotFound")
    assert answer.body["details"] == {"name": "contract-missing", "kind": "namespaces"}


async def test_without_create_an_apply_only_updates(api: RestClient, namespace: str, name: str) -> None:
    """Creating by apply needs the verb create; changing what is there does not."""
    user = await create_user(api, namespace, rule("secrets", "patch", name=name))
    path = f"{secrets_in(namespace)}/{name}"
    refused = await user.apply(path, pull_secret(name))
    assert refused.verdict == (403, "Forbidden")
    assert 'cannot create resource "secrets"' in refused.message
    (await api.apply(path, pull_secret(name))).ok()
    assert (await user.apply(path, pull_secret(name, objects.SECOND))).status == 200


async def test_access_review_agrees(controller: RestClient, namespace: str, name: str) -> None:
    """What the controller asks about itself is what it will be allowed."""
    here = {"resource": "secrets", "namespace": namespace}
    assert await may(controller, verb="create", name=name, **here)
    assert await may(controller, verb="list", name=name, resource="secrets")
    assert not await may(controller, verb="create", **here)
    assert not await may(controller, verb="update", name=name, **here)
    assert not await may(controller, verb="get", name="another", **here)
    assert not await may(controller, verb="list", resource="secrets")
    assert not await may(controller, verb="get", name=name, group="apps", **here)
