"""managedFields tell, without a look at the data, whether somebody changed what we applied."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from testsupport.objects import ISSUED_AT, MANAGED_BY, SECOND, encoded, pull_secret, secrets_in, version_of
from testsupport.rest import METADATA, METADATA_LIST, RestClient

LABEL = f"metadata/labels/{MANAGED_BY}"
ANNOTATION = f"metadata/annotations/{ISSUED_AT}"
DATA = "data/.dockerconfigjson"
ALL = {LABEL, ANNOTATION, DATA, "type"}

CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "data": ({"data": {".dockerconfigjson": encoded(SECOND)}}, {DATA}),
    "annotation": ({"metadata": {"annotations": {ISSUED_AT: "2020-01-01T00:00:00Z"}}}, {ANNOTATION}),
    "annotation removed": ({"metadata": {"annotations": {ISSUED_AT: None}}}, {ANNOTATION}),
    "label": ({"metadata": {"labels": {MANAGED_BY: "helm"}}}, {LABEL}),
    "label removed": ({"metadata": {"labels": {MANAGED_BY: None}}}, {LABEL}),
    "all labels removed": ({"metadata": {"labels": None}}, {LABEL}),
}

ADDITIONS: dict[str, dict[str, Any]] = {
    "label": {"metadata": {"labels": {"team": "a"}}},
    "annotation": {"metadata": {"annotations": {"note": "a"}}},
    "data": {"data": {"other": encoded("x")}},
    "finalizer": {"metadata": {"finalizers": ["pullkeeper.dev/test"]}},
}


def leaves(fields: Mapping[str, Any], *above: str) -> Iterator[str]:
    for key, below in fields.items():
        here = (*above, key.removeprefix("f:"))
        if below:
            yield from leaves(below, *here)
        else:
            yield "/".join(here)


def own_entries(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in body["metadata"]["managedFields"] if entry["manager"] == "pullkeeper"]


def own_fields(body: Mapping[str, Any]) -> set[str]:
    [entry] = own_entries(body)
    return set(leaves(entry["fieldsV1"]))


@pytest.fixture
async def path(api: RestClient, namespace: str, name: str) -> str:
    """Apply the pull Secret and give its path."""
    path = f"{secrets_in(namespace)}/{name}"
    (await api.apply(path, pull_secret(name))).ok()
    return path


async def test_entry_of_an_apply(api: RestClient, path: str) -> None:
    """An apply leaves one entry that lists exactly the leaves applied, and no parents."""
    [entry] = (await api.get(path)).ok()["metadata"]["managedFields"]
    entry.pop("time")
    assert entry == {
        "manager": "pullkeeper",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:data": {"f:.dockerconfigjson": {}},
            "f:metadata": {"f:annotations": {f"f:{ISSUED_AT}": {}}, "f:labels": {f"f:{MANAGED_BY}": {}}},
            "f:type": {},
        },
    }


async def test_entry_of_a_create(api: RestClient, namespace: str) -> None:
    """A create lists its leaves and the maps it made, as an Update."""
    body = pull_secret("created")
    created = (await api.post(secrets_in(namespace), body, fieldManager="kubectl-create")).ok()
    [entry] = created["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kubectl-create", "Update")
    assert set(leaves(entry["fieldsV1"])) == ALL | {"data/.", "metadata/labels/.", "metadata/annotations/."}


async def test_manager_of_a_plain_write_is_the_user_agent(api: RestClient, path: str) -> None:
    """A write that names no manager is filed under its User-Agent (Python/3… aiohttp/3…) up to the slash."""
    changed = (await api.merge(path, {"metadata": {"labels": {"team": "a"}}})).ok()
    managers = [entry["manager"] for entry in changed["metadata"]["managedFields"]]
    assert managers == ["pullkeeper", "Python"]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_by_others_takes_the_leaf(api: RestClient, path: str, change: str) -> None:
    """Our entry loses just the leaves that somebody changed or removed."""
    patch, lost = CHANGES[change]
    changed = (await api.merge(path, patch, fieldManager="somebody")).ok()
    assert own_fields(changed) == ALL - lost


@pytest.mark.parametrize("change", CHANGES)
async def test_a_forced_apply_takes_the_leaf_back(api: RestClient, path: str, name: str, change: str) -> None:
    """After our forced apply everything is ours again, and nobody else's."""
    await api.merge(path, CHANGES[change][0], fieldManager="somebody")
    repaired = (await api.apply(path, pull_secret(name), force=True)).ok()
    assert own_fields(repaired) == ALL
    others = [entry for entry in repaired["metadata"]["managedFields"] if entry["manager"] != "pullkeeper"]
    assert not ALL & {leaf for entry in others for leaf in leaves(entry["fieldsV1"])}


async def test_a_patch_that_changes_nothing_leaves_everything(api: RestClient, path: str, name: str) -> None:
    """A no-op patch by others is no write: same resourceVersion, same managedFields."""
    before = (await api.get(path)).ok()
    after = (await api.merge(path, {"data": pull_secret(name)["data"]}, fieldManager="somebody")).ok()
    assert version_of(after) == version_of(before)
    assert after["metadata"]["managedFields"] == before["metadata"]["managedFields"]


@pytest.mark.parametrize("addition", ADDITIONS)
async def test_an_addition_by_others_leaves_our_entry(api: RestClient, path: str, addition: str) -> None:
    """Somebody's own label, annotation, key or finalizer touches none of our leaves."""
    changed = (await api.merge(path, ADDITIONS[addition], fieldManager="somebody")).ok()
    assert own_fields(changed) == ALL


async def test_our_apply_leaves_the_additions_of_others(api: RestClient, path: str, name: str) -> None:
    """A rotation removes nothing that it did not apply."""
    await api.merge(path, ADDITIONS["label"], fieldManager="somebody")
    rotated = (await api.apply(path, pull_secret(name, SECOND), force=True)).ok()
    assert rotated["metadata"]["labels"] == {MANAGED_BY: "pullkeeper", "team": "a"}


async def test_a_forced_apply_by_others_takes_the_leaf(api: RestClient, path: str, name: str) -> None:
    """Another applier with force owns alone what it changed."""
    theirs = {**pull_secret(name, SECOND), "metadata": {"name": name}}
    changed = (await api.apply(path, theirs, manager="helm", force=True)).ok()
    assert own_fields(changed) == ALL - {DATA}


async def test_an_update_under_our_name_is_another_entry(api: RestClient, path: str) -> None:
    """Manager and operation together make an entry: our patch is not our apply."""
    changed = (await api.merge(path, CHANGES["label"][0], fieldManager="pullkeeper")).ok()
    assert [entry["operation"] for entry in own_entries(changed)] == ["Apply", "Update"]
    assert set(leaves(own_entries(changed)[0]["fieldsV1"])) == ALL - {LABEL}


async def test_a_replacement_without_managed_fields_keeps_them(api: RestClient, path: str) -> None:
    """A PUT that brings no managedFields (as old clients do) is filed as any other change."""
    body = (await api.get(path)).ok()
    del body["metadata"]["managedFields"]
    body["data"] = {".dockerconfigjson": encoded(SECOND)}
    changed = (await api.put(path, body, fieldManager="somebody")).ok()
    assert own_fields(changed) == ALL - {DATA}


async def test_metadata_alone_shows_the_change(api: RestClient, path: str, name: str) -> None:
    """A reader of metadata sees in managedFields that the data changed, without the data."""
    await api.merge(path, CHANGES["data"][0], fieldManager="somebody")
    seen = (await api.get(path, accept=METADATA)).ok()
    assert own_fields(seen) == ALL - {DATA}
    assert seen.keys() == {"kind", "apiVersion", "metadata"}
    query = {"fieldSelector": f"metadata.name={name}"}
    [listed] = (await api.get("/api/v1/secrets", accept=METADATA_LIST, **query)).ok()["items"]
    assert listed["metadata"] == seen["metadata"]
