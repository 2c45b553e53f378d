"""The Secrets of our name: listed in chunks, then watched."""

import pytest

from tests.unit.adapters.reflector_harness import GONE, REFUSED, ReflectorHarness, error, event, listing, page, secret
from testsupport.fake_client import AWAY
from testsupport.virtual_time import settle


@pytest.fixture
async def desk() -> ReflectorHarness:
    return ReflectorHarness()


async def test_everything_is_listed_by_name_and_by_metadata_alone(desk: ReflectorHarness) -> None:
    """No token comes over the wire, and the selector is the one that RBAC allows."""
    desk.client.responses = [listing(secret("a", 3), version=9)]
    async with desk.running():
        await settle()
    (request,) = desk.client.requests
    assert (request.verb, request.path) == ("list", "/api/v1/secrets")
    assert request.query == {"fieldSelector": "metadata.name=ecr-pull-secret", "limit": "500"}
    assert request.accept.startswith("application/json;as=PartialObjectMetadataList")
    assert desk.woken == ["a"]
    assert desk.version("a") == 3
    assert desk.secrets.synced.is_set()


async def test_a_long_listing_comes_in_chunks(desk: ReflectorHarness) -> None:
    """Each page goes on where the last one ended, and only the whole is taken over."""
    desk.client.responses = [
        page(secret("a", 1), goes_on="x"),
        page(secret("b", 2), goes_on="y"),
        listing(secret("c", 3)),
    ]
    async with desk.running():
        await settle()
    assert [request.query.get("continue") for request in desk.client.requests] == [None, "x", "y"]
    assert desk.woken == ["a", "b", "c"]


async def test_a_listing_that_has_grown_old_on_the_way_begins_anew(desk: ReflectorHarness) -> None:
    """410 between two pages: what came before is dropped, because some of it may be gone."""
    desk.client.responses = [page(secret("a", 1), goes_on="x"), GONE, listing(secret("b", 2))]
    async with desk.running():
        await settle()
    assert [request.query.get("continue") for request in desk.client.requests] == [None, "x", None]
    assert desk.woken == ["b"]


async def test_an_empty_list_may_be_null(desk: ReflectorHarness) -> None:
    """Go writes an empty list as null."""
    desk.client.responses = [listing(items=None)]
    async with desk.running():
        await settle()
        assert desk.secrets.synced.is_set()
    assert desk.woken == []


async def test_a_watch_begins_where_the_listing_ended(desk: ReflectorHarness) -> None:
    """With bookmarks, by metadata alone, and with a time limit of its own."""
    desk.client.responses = [listing(version=9)]
    async with desk.running():
        await settle()
    (watch,) = desk.client.watches
    seconds = int(watch.query.pop("timeoutSeconds"))
    assert watch.query == {
        "fieldSelector": "metadata.name=ecr-pull-secret",
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "9",
    }
    assert 300 <= seconds < 600
    assert watch.accept.startswith("application/json;as=PartialObjectMetadata;")
    assert watch.idle_timeout == 90


async def test_what_a_watch_brings_wakes(desk: ReflectorHarness) -> None:
    """Added, changed and deleted Secrets wake their namespace."""
    desk.streams = [
        [event("ADDED", secret("a", 11)), event("MODIFIED", secret("a", 12)), event("DELETED", secret("a", 13))]
    ]
    async with desk.running():
        await settle()
    assert desk.woken == ["a", "a", "a"]
    assert desk.secrets.get("a") is None


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
@pytest.mark.parametrize("version", [3, 10])
async def test_late_and_repeated_events_change_nothing(desk: ReflectorHarness, kind: str, version: int) -> None:
    """What is not younger than known wakes nobody."""
    desk.client.responses = [listing(secret("a", 10), version=10)]
    desk.streams = [[event(kind, secret("a", version))]]
    async with desk.running():
        await settle()
    assert desk.woken == ["a"]
    assert desk.version("a") == 10


async def test_the_deletion_of_what_is_not_known_wakes_nobody(desk: ReflectorHarness) -> None:
    """Our own deletion comes back like this."""
    desk.streams = [[event("DELETED", secret("a", 11))]]
    async with desk.running():
        await settle()
    assert desk.woken == []


async def test_our_own_write_wakes_nobody(desk: ReflectorHarness) -> None:
    """It is known before the watch brings it, and when it brings it, it is nothing new."""
    async with desk.running():
        await settle()
        desk.secrets.written("a", desk.observed("a", 11))
        await desk.say(event("ADDED", secret("a", 11)))
        assert desk.woken == []
        await desk.say(event("MODIFIED", secret("a", 12)))
        assert desk.woken == ["a"]


async def test_our_own_deletion_wakes_nobody(desk: ReflectorHarness) -> None:
    """What we have deleted is gone at once."""
    desk.client.responses = [listing(secret("a", 3))]
    async with desk.running():
        await settle()
        desk.secrets.written("a", None)
        await desk.say(event("DELETED", secret("a", 11)))
    assert desk.woken == ["a"]
    assert desk.secrets.get("a") is None


@pytest.mark.parametrize(("kind", "known"), [("MODIFIED", 12), ("DELETED", None)])
async def test_a_write_that_the_watch_has_overtaken_is_no_news(
    desk: ReflectorHarness, kind: str, known: int | None
) -> None:
    """If somebody changed or deleted it before our answer came in, that stands."""
    async with desk.running():
        await settle()
        await desk.say(event("ADDED", secret("a", 11)), event(kind, secret("a", 12)))
        desk.secrets.written("a", desk.observed("a", 11))
    assert desk.version("a") == known


async def test_a_bookmark_moves_on_and_wakes_nobody(desk: ReflectorHarness) -> None:
    """The next watch begins at the bookmark, so that a quiet one does not grow too old."""
    desk.streams = [[event("BOOKMARK", {"resourceVersion": "50"})], []]
    async with desk.running(seconds=2):
        pass
    assert [watch.query["resourceVersion"] for watch in desk.client.watches][:2] == ["9", "50"]
    assert desk.woken == []
    assert len(desk.client.requests) == 1


async def test_a_strangers_secret_is_known_as_such(desk: ReflectorHarness) -> None:
    """Whether it is ours says its label."""
    desk.client.responses = [listing(secret("a", 3))]
    async with desk.running():
        await settle()
    found = desk.secrets.get("a")
    assert found is not None
    assert not found.managed


async def test_a_broken_listing_takes_nothing_away(desk: ReflectorHarness) -> None:
    """What is known stays until a whole listing says otherwise."""
    desk.client.responses = [listing(secret("a", 3)), page(secret("b", 3), goes_on="x"), AWAY]
    desk.streams = [[error(410)]]
    async with desk.running(seconds=5):
        pass
    assert desk.version("a") == 3
    assert desk.secrets.get("b") is None


async def test_one_refusal_is_told_with_what_to_grant(desk: ReflectorHarness, caplog: pytest.LogCaptureFixture) -> None:
    """403 says which verbs are missing."""
    desk.client.responses = [REFUSED]
    async with desk.running():
        await settle()
    assert "grant get, list and watch on secrets (KubernetesDenied)" in caplog.text
    assert not desk.secrets.synced.is_set()
