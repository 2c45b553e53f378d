"""Watches: what they show, where they begin, how they end."""

import json
from typing import Any

import pytest

from testsupport.objects import SECOND, SOME_UID, pull_secret, secrets_in, uid_of, version_of
from testsupport.rest import METADATA, METADATA_LIST, RestClient
from testsupport.waiting import until

INITIAL_EVENTS: dict[str, Any] = {
    "sendInitialEvents": True,
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": True,
}
END_OF_INITIAL_EVENTS = {"k8s.io/initial-events-end": "true"}


@pytest.fixture
def collection(namespace: str) -> str:
    return secrets_in(namespace)


async def test_events_follow_the_listed_version(api: RestClient, collection: str, name: str) -> None:
    """A watch from a list's resourceVersion shows what came after it, once and in order."""
    (await api.apply(f"{collection}/earlier", pull_secret("earlier"))).ok()
    listed = (await api.get(collection, accept=METADATA_LIST)).ok()
    created = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    changed = (await api.apply(f"{collection}/{name}", pull_secret(name, SECOND))).ok()
    async with api.watch(collection, accept=METADATA, resourceVersion=version_of(listed)) as events:
        first, second = await events.next(), await events.next()
    assert [first["type"], second["type"]] == ["ADDED", "MODIFIED"]
    assert [version_of(first["object"]), version_of(second["object"])] == [
        version_of(created),
        version_of(changed),
    ]


async def test_metadata_events_hold_no_content(api: RestClient, collection: str, name: str) -> None:
    """A watch of metadata shows PartialObjectMetadata with the kind in every event."""
    created = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA) as events:
        seen = (await events.next())["object"]
    assert seen == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": created["metadata"],
    }


async def test_full_events_name_their_kind(api: RestClient, collection: str, name: str) -> None:
    """Unlike an item of a list, the object of a watch event carries its kind and apiVersion."""
    (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection) as events:
        seen = (await events.next())["object"]
    assert (seen["kind"], seen["apiVersion"]) == ("Secret", "v1")


async def test_a_watch_that_asks_for_lists_dies_of_its_first_event(api: RestClient, collection: str, name: str) -> None:
    """With `as=PartialObjectMetadataList` a watch is 200 and ends, empty, at what would be its first event."""
    async with api.watch(collection, accept=METADATA_LIST) as events:
        (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
        assert await events.rest() == []


async def test_without_a_version_a_watch_begins_with_what_is_there(api: RestClient, collection: str, name: str) -> None:
    """Objects that exist come as ADDED first."""
    (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA) as events:
        assert (await events.next())["type"] == "ADDED"
        (await api.apply(f"{collection}/{name}", pull_secret(name, SECOND))).ok()
        assert (await events.next())["type"] == "MODIFIED"


async def test_initial_events_end_with_a_bookmark(api: RestClient, collection: str, name: str) -> None:
    """A streaming list is the objects, then an annotated bookmark with the version of all of it."""
    created = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA, **INITIAL_EVENTS) as events:
        added, bookmark = await events.until("BOOKMARK")
    assert uid_of(added["object"]) == uid_of(created)
    assert bookmark["object"].keys() == {"kind", "apiVersion", "metadata"}
    assert bookmark["object"]["metadata"].keys() == {"resourceVersion", "annotations"}
    assert bookmark["object"]["metadata"]["annotations"] == END_OF_INITIAL_EVENTS
    assert int(version_of(bookmark["object"])) >= int(version_of(created))


async def test_initial_events_end_is_marked_unasked(api: RestClient, collection: str) -> None:
    """A watch without a version that allows bookmarks is told the end of its beginning, too."""
    async with api.watch(collection, accept=METADATA, allowWatchBookmarks=True) as events:
        bookmark = await events.next()
    assert bookmark["object"]["metadata"]["annotations"] == END_OF_INITIAL_EVENTS


async def test_initial_events_need_a_version_match(api: RestClient, collection: str) -> None:
    """Streaming a list without resourceVersionMatch=NotOlderThan is invalid."""
    answer = await api.get(collection, watch=True, sendInitialEvents=True, allowWatchBookmarks=True)
    body = json.loads(answer.body)
    assert (body["code"], body["reason"]) == (422, "Invalid")
    assert body["details"]["causes"][0]["field"] == "resourceVersionMatch"


async def test_a_bookmark_comes_before_the_timeout(api: RestClient, collection: str, name: str) -> None:
    """About two seconds before its end a watch sends the newest version, though no event matched."""
    listed = (await api.get(collection)).ok()
    written = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    query = {"fieldSelector": "metadata.name=nobody", "resourceVersion": version_of(listed)}

    async def bookmark_sent() -> dict[str, Any] | None:
        watch = api.watch(collection, accept=METADATA, allowWatchBookmarks=True, timeoutSeconds=4, **query)
        async with watch as events:
            return next(iter(await events.rest()), None)

    # In its first minute the real API server lets watches end without one.
    bookmark = await until(bookmark_sent, "a watch to send a bookmark")
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"].keys() == {"resourceVersion"}
    assert int(version_of(bookmark["object"])) >= int(version_of(written))


async def test_no_bookmarks_unless_allowed(api: RestClient, collection: str) -> None:
    """Without allowWatchBookmarks a watch without events stays silent until its end."""
    async with api.watch(collection, accept=METADATA, timeoutSeconds=1) as events:
        assert await events.rest() == []


async def test_a_timeout_ends_cleanly(api: RestClient, collection: str, name: str) -> None:
    """After timeoutSeconds the stream ends as a complete response does, without an ERROR event."""
    (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA, timeoutSeconds=1) as events:
        assert [event["type"] for event in await events.rest()] == ["ADDED"]


async def test_deletion_shows_the_last_state(api: RestClient, collection: str, name: str) -> None:
    """DELETED carries the object as it last was, under a new resourceVersion."""
    created = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
    async with api.watch(collection, resourceVersion=version_of(created)) as events:
        (await api.delete(f"{collection}/{name}")).ok()
        deleted = await events.next()
    assert deleted["type"] == "DELETED"
    assert int(version_of(deleted["object"])) > int(version_of(created))
    deleted["object"]["metadata"]["resourceVersion"] = version_of(created)
    assert deleted["object"] == created


async def test_selectors_turn_changes_into_arrivals_and_departures(api: RestClient, collection: str, name: str) -> None:
    """An object that begins to match is ADDED; one that no longer does is DELETED, as it last matched."""
    path = f"{collection}/{name}"
    created = (await api.apply(path, pull_secret(name))).ok()
    query = {"labelSelector": "color=red", "resourceVersion": version_of(created)}
    async with api.watch(collection, accept=METADATA, **query) as events:
        (await api.merge(path, {"metadata": {"labels": {"color": "red"}}})).ok()
        arrival = await events.next()
        left = (await api.merge(path, {"metadata": {"labels": {"color": "blue"}}})).ok()
        departure = await events.next()
    assert [arrival["type"], departure["type"]] == ["ADDED", "DELETED"]
    assert departure["object"]["metadata"]["labels"]["color"] == "red"
    assert version_of(departure["object"]) == version_of(left)


async def test_other_names_are_not_shown(api: RestClient, collection: str, name: str) -> None:
    """A watch by name is silent about every other Secret."""
    async with api.watch(collection, fieldSelector=f"metadata.name={name}") as events:
        (await api.apply(f"{collection}/another", pull_secret("another"))).ok()
        created = (await api.apply(f"{collection}/{name}", pull_secret(name))).ok()
        assert version_of((await events.next())["object"]) == version_of(created)


async def test_recreation_shows_both_uids(api: RestClient, collection: str, name: str) -> None:
    """Delete and create are two events with two uids, never one change."""
    path = f"{collection}/{name}"
    first = (await api.apply(path, pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA, resourceVersion=version_of(first)) as events:
        (await api.delete(path)).ok()
        second = (await api.apply(path, pull_secret(name))).ok()
        seen = [await events.next(), await events.next()]
    assert [event["type"] for event in seen] == ["DELETED", "ADDED"]
    assert [uid_of(event["object"]) for event in seen] == [uid_of(first), uid_of(second)]


async def test_failed_writes_show_nothing(api: RestClient, collection: str, name: str) -> None:
    """Refused writes make no event."""
    path = f"{collection}/{name}"
    created = (await api.apply(path, pull_secret(name))).ok()
    async with api.watch(collection, accept=METADATA, resourceVersion=version_of(created)) as events:
        assert (await api.apply(path, pull_secret(name, uid=SOME_UID))).status == 422
        assert (await api.apply(path, pull_secret(name, "nonsense"))).status == 422
        (await api.delete(path)).ok()
        assert (await events.next())["type"] == "DELETED"


async def test_a_version_that_is_no_number_is_refused(api: RestClient, collection: str) -> None:
    """The refusal is a 500 with no reason, unlike that of a list."""
    answer = await api.get(collection, watch=True, resourceVersion="abc")
    assert answer.status == 500
