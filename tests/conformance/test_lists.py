"""Lists: metadata only, in chunks, consistent, and how they are refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from testsupport import objects
from testsupport.objects import SECOND, pull_secret, secrets_in, uid_of, version_of
from testsupport.rest import JSON, METADATA_LIST, RestClient

ALL_SECRETS = "/api/v1/secrets"


@pytest.fixture
async def namespaces(api: RestClient, name: str) -> list[str]:
    """Create five namespaces with a pull Secret of the test's name in each, and give them sorted."""
    namespaces = sorted([await objects.create_namespace(api) for _ in range(5)])
    for namespace in reversed(namespaces):
        (await api.apply(f"{secrets_in(namespace)}/{name}", pull_secret(name))).ok()
    return namespaces


def namespaces_of(*chunks: dict[str, Any]) -> list[str]:
    return [item["metadata"]["namespace"] for chunk in chunks for item in chunk["items"]]


async def metadata_list(api: RestClient, name: str, **query: str | int) -> dict[str, Any]:
    selector = f"metadata.name={name}"
    answer = await api.get(ALL_SECRETS, accept=METADATA_LIST, fieldSelector=selector, **query)
    body: dict[str, Any] = answer.ok()
    return body


async def test_metadata_list_holds_no_content(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """A list of metadata names its kind, and each item names its own and carries no data."""
    listed = await metadata_list(api, name)
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    for item in listed["items"]:
        assert item.keys() == {"kind", "apiVersion", "metadata"}
        assert (item["kind"], item["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert len(listed["items"]) == len(namespaces)


async def test_the_first_acceptable_form_is_taken(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """Clients list the forms that they accept, metadata first and the whole object as a fallback."""
    accept = f"{METADATA_LIST},{JSON}"
    answer = await api.get(ALL_SECRETS, accept=accept, fieldSelector=f"metadata.name={name}")
    assert answer.ok()["kind"] == "PartialObjectMetadataList"
    assert len(answer.body["items"]) == len(namespaces)


async def test_items_come_in_order_of_namespace(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """Items are sorted by namespace and name, however they were created."""
    assert namespaces_of(await metadata_list(api, name)) == list(namespaces)


async def test_full_list_names_the_kind_once(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """Items of a plain list carry no kind and no apiVersion of their own."""
    listed = (await api.get(ALL_SECRETS, fieldSelector=f"metadata.name={name}")).ok()
    assert (listed["kind"], listed["apiVersion"]) == ("SecretList", "v1")
    assert [item.keys() & {"kind", "apiVersion"} for item in listed["items"]] == [set()] * len(namespaces)


async def test_chunks_make_the_whole(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """Chunks follow one another by the continue token, and the last has none."""
    first = await metadata_list(api, name, limit=2)
    second = await metadata_list(api, name, limit=2, **{"continue": first["metadata"]["continue"]})
    third = await metadata_list(api, name, limit=2, **{"continue": second["metadata"]["continue"]})
    assert [len(chunk["items"]) for chunk in (first, second, third)] == [2, 2, 1]
    assert namespaces_of(first, second, third) == list(namespaces)
    assert not third["metadata"].get("continue")


async def test_selected_chunks_tell_no_remainder(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """With a selector the server does not know how many items remain."""
    first = await metadata_list(api, name, limit=len(namespaces) - 1)
    assert "remainingItemCount" not in first["metadata"]


async def test_unselected_chunks_tell_the_remainder(api: RestClient, namespace: str) -> None:
    """Without a selector it does."""
    for number in range(3):
        (await api.post(secrets_in(namespace), pull_secret(f"s{number}"))).ok()
    first = (await api.get(secrets_in(namespace), limit=2)).ok()
    assert first["metadata"]["remainingItemCount"] == 1


async def test_chunks_show_one_moment(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """Every chunk has the first one's resourceVersion and content, whatever happens in between."""
    first = await metadata_list(api, name, limit=1)
    changed = f"{secrets_in(namespaces[1])}/{name}"
    version = version_of((await api.get(changed)).ok())
    (await api.apply(changed, pull_secret(name, SECOND))).ok()
    (await api.delete(f"{secrets_in(namespaces[2])}/{name}")).ok()
    second = await metadata_list(api, name, limit=9, **{"continue": first["metadata"]["continue"]})
    assert version_of(second) == version_of(first)
    assert namespaces_of(first, second) == list(namespaces)
    assert version_of(second["items"][0]) == version


async def test_version_of_a_list_is_no_older_than_its_items(
    api: RestClient, name: str, namespaces: Sequence[str]
) -> None:
    """A list reflects every write answered before it."""
    written = (await api.apply(f"{secrets_in(namespaces[0])}/{name}", pull_secret(name, SECOND))).ok()
    listed = await metadata_list(api, name)
    assert version_of(listed["items"][0]) == version_of(written)
    assert int(version_of(listed)) >= int(version_of(written))


async def test_version_zero_ignores_the_limit(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """A list from the cache (resourceVersion=0) is never chunked."""
    listed = await metadata_list(api, name, limit=2, resourceVersion="0")
    assert len(listed["items"]) <= len(namespaces)  # the cache may lag
    assert not listed["metadata"].get("continue")


async def test_nothing_is_an_empty_list(api: RestClient) -> None:
    """A namespace that does not exist has an empty list, not a 404."""
    listed = (await api.get(secrets_in("contract-missing"))).ok()
    assert listed["items"] == []
    assert version_of(listed).isdigit()


async def test_label_selectors(api: RestClient, namespace: str, name: str) -> None:
    """Equality, inequality, sets and existence select by labels."""
    (await api.post(secrets_in(namespace), pull_secret(name, labels={"color": "red"}))).ok()
    matching = {"color=red", "color==red", "color in (red,blue)", "color", "!size", "color!=blue", "size!=1"}
    missing = {"color=blue", "color notin (red)", "!color", "size"}
    for selector in matching | missing:
        listed = (await api.get(secrets_in(namespace), labelSelector=selector)).ok()
        assert len(listed["items"]) == (selector in matching), selector


async def test_field_selector_on_the_namespace(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """metadata.namespace selects too, also with != and several terms."""
    selector = f"metadata.name={name},metadata.namespace!={namespaces[0]}"
    listed = (await api.get(ALL_SECRETS, fieldSelector=selector)).ok()
    assert namespaces_of(listed) == list(namespaces[1:])


BAD_QUERIES: dict[str, tuple[dict[str, str], str]] = {
    "unknown field": ({"fieldSelector": "spec.x=1"}, "field label not supported: spec.x"),
    "broken label selector": ({"labelSelector": "a in"}, "unable to parse requirement"),
    "version": ({"resourceVersion": "abc"}, "invalid resource version"),
    "continue": ({"continue": "xx"}, "invalid continue token: continue key is not valid"),
}


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_bad_queries_are_refused(api: RestClient, namespace: str, query: str) -> None:
    """What cannot be understood is a bad request."""
    parameters, message = BAD_QUERIES[query]
    answer = await api.get(secrets_in(namespace), **parameters)
    assert answer.verdict == (400, "BadRequest")
    assert answer.message.startswith(message)


async def test_continue_excludes_a_version(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """The continue token has the version in it; giving one beside it is refused."""
    first = await metadata_list(api, name, limit=len(namespaces) - 1)
    query = {"continue": first["metadata"]["continue"], "resourceVersion": version_of(first)}
    answer = await api.get(ALL_SECRETS, fieldSelector=f"metadata.name={name}", limit=1, **query)
    assert answer.verdict == (400, "BadRequest")
    assert answer.message == "specifying resource version is not allowed when using continue"


async def test_metadata_of_one_object(api: RestClient, name: str, namespaces: Sequence[str]) -> None:
    """A get of metadata has the uid that the whole object has."""
    path = f"{secrets_in(namespaces[0])}/{name}"
    partial = (await metadata_list(api, name))["items"][0]
    assert uid_of(partial) == uid_of((await api.get(path)).ok())
