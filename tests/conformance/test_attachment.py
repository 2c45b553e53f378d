"""What attaching relies on: one patch of entry and mark, lists that vanish when empty, whole objects in a watch."""

from typing import Any

import pytest

from pullkeeper.domain.secret.service_account_patch import MARK, observe_service_account, plan_patch
from testsupport import objects
from testsupport.access import create_user, rule
from testsupport.objects import version_of
from testsupport.rest import JSON_PATCH, RestClient

OURS = "ecr-pull-secret"
ALL = "/api/v1/serviceaccounts"
THEIRS = [{"name": "a"}, {"name": OURS + "-too"}]


@pytest.fixture
async def user(api: RestClient, namespace: str) -> RestClient:
    """Give a user who may do to ServiceAccounts what the controller may, and nothing else."""
    return await create_user(api, namespace, rule("serviceaccounts", "patch", "list", "watch"))


def path_of(account: dict[str, Any]) -> str:
    metadata = account["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{metadata['name']}"


async def create(api: RestClient, namespace: str, **fields: Any) -> dict[str, Any]:
    name = await objects.create_service_account(api, namespace, **fields)
    found: dict[str, Any] = (await api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")).ok()
    return found


async def reconcile(user: RestClient, found: dict[str, Any], *, wanted: bool) -> dict[str, Any]:
    change = plan_patch(observe_service_account(found, OURS), OURS, wanted=wanted, exists=True)
    assert change is not None
    patched: dict[str, Any] = (await user.json_patch(path_of(found), *change.operations)).ok()
    return patched


def content(found: dict[str, Any]) -> dict[str, Any]:
    """Give an object without the API server's bookkeeping."""
    bookkeeping = ("resourceVersion", "managedFields")
    metadata = {key: value for key, value in found["metadata"].items() if key not in bookkeeping}
    return {**found, "metadata": metadata}


@pytest.mark.parametrize("fields", [{}, {"imagePullSecrets": []}, {"imagePullSecrets": THEIRS}])
async def test_attached_and_detached_is_as_it_was(
    api: RestClient, user: RestClient, namespace: str, fields: dict[str, Any]
) -> None:
    """Entry and mark come and go in one patch each; a list and annotations that become empty vanish."""
    before = await create(api, namespace, **fields)
    attached = await reconcile(user, before, wanted=True)
    assert attached["imagePullSecrets"] == [*before.get("imagePullSecrets", []), {"name": OURS}]
    assert attached["metadata"]["annotations"] == {MARK: OURS}
    assert content(await reconcile(user, attached, wanted=False)) == content(before)


async def test_whoever_applies_the_list_meets_our_entry(api: RestClient, user: RestClient, namespace: str) -> None:
    """The list belongs to whoever changed it last: an apply is a conflict with us, and with force it is all theirs."""
    name = "applied"
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
    kind = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    applied = (await api.apply(path, {**kind, "imagePullSecrets": THEIRS}, manager="gitops")).ok()
    change = plan_patch(observe_service_account(applied, OURS), OURS, wanted=True, exists=True)
    assert change is not None
    us = {"fieldManager": "pullkeeper"}
    (await user.send("PATCH", path, query=us, body=change.operations, content_type=JSON_PATCH)).ok()
    refused = await api.apply(path, {**kind, "imagePullSecrets": THEIRS}, manager="gitops")
    assert refused.verdict == (409, "Conflict")
    assert 'conflict with "pullkeeper"' in refused.message
    assert refused.causes == [("FieldManagerConflict", ".imagePullSecrets")]
    forced = await api.apply(path, {**kind, "imagePullSecrets": THEIRS}, manager="gitops", force=True)
    assert forced.ok()["imagePullSecrets"] == THEIRS
    assert forced.body["metadata"]["annotations"] == {MARK: OURS}


async def test_attachment_by_an_old_version_changes_nothing(api: RestClient, user: RestClient, namespace: str) -> None:
    """Where somebody was quicker the patch fails as a whole: no mark without its entry."""
    before = await create(api, namespace, imagePullSecrets=THEIRS)
    changed = (await api.merge(path_of(before), {"imagePullSecrets": THEIRS[:1]})).ok()
    change = plan_patch(observe_service_account(before, OURS), OURS, wanted=True, exists=True)
    assert change is not None
    answer = await user.json_patch(path_of(before), *change.operations)
    assert (answer.verdict, answer.body["details"]) == ((422, "Invalid"), {})
    assert (await api.get(path_of(before))).ok() == changed


async def test_patch_of_an_account_that_is_gone_is_not_found(api: RestClient, user: RestClient, namespace: str) -> None:
    """Also where the version would have been tested."""
    before = await create(api, namespace)
    (await api.delete(path_of(before))).ok()
    change = plan_patch(observe_service_account(before, OURS), OURS, wanted=True, exists=True)
    assert change is not None
    assert (await user.json_patch(path_of(before), *change.operations)).verdict == (404, "NotFound")


async def test_lists_hold_accounts_whole_and_in_chunks(api: RestClient, user: RestClient, namespace: str) -> None:
    """In all namespaces as in one: each item has its list, and a page goes on where the last one ended."""
    made = {(await create(api, namespace, imagePullSecrets=THEIRS))["metadata"]["name"] for _ in range(3)}
    for path in (ALL, f"/api/v1/namespaces/{namespace}/serviceaccounts"):
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"metadata": {"continue": ""}}
        while not items or page["metadata"].get("continue"):
            query = {"limit": 2, **({"continue": page["metadata"]["continue"]} if items else {})}
            page = (await user.get(path, **query)).ok()
            items += page["items"]
        found = [observe_service_account(item, OURS + "-too") for item in items]
        assert {each.name for each in found if each.entry_index == 1 and each.namespace == namespace} == made


async def test_watch_brings_accounts_whole(api: RestClient, user: RestClient, namespace: str) -> None:
    """From a listed version on, with the entries; a deletion brings the last state at a version of its own."""
    listed = (await user.get(ALL, limit=1)).ok()
    made = await create(api, namespace, imagePullSecrets=THEIRS)
    attached = await reconcile(user, made, wanted=True)
    (await api.delete(path_of(made))).ok()
    async with user.watch(ALL, resourceVersion=version_of(listed), allowWatchBookmarks=True) as events:
        mine: list[dict[str, Any]] = []
        while len(mine) < 3:
            event = await events.next()
            if event["object"]["metadata"].get("name") == made["metadata"]["name"]:
                mine.append(event)
    assert [event["type"] for event in mine] == ["ADDED", "MODIFIED", "DELETED"]
    assert mine[1]["object"]["imagePullSecrets"] == attached["imagePullSecrets"]
    last = observe_service_account(mine[2]["object"], OURS)
    assert last.resource_version > observe_service_account(attached, OURS).resource_version
    assert (last.mark, last.entry_index) == (OURS, 2)


async def test_rights_end_at_what_is_granted(api: RestClient, user: RestClient, namespace: str) -> None:
    """With list, watch and patch alone nothing is read by name, made or deleted."""
    found = await create(api, namespace)
    refused = [
        await user.get(path_of(found)),
        await user.put(path_of(found), found),
        await user.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "x"}}),
        await user.delete(path_of(found)),
        await user.post(f"{path_of(found)}/token", {"spec": {}}),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)
