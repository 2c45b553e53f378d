"""A reflector of Secrets: listed page by page, then watched."""

import asyncio

import pytest

from tests.unit.adapters.reflector_harness import INTERVAL, REFUSED, ReflectorHarness, error, event, listing, secret
from testsupport.fake_client import AWAY
from testsupport.virtual_time import settle


@pytest.fixture
async def desk() -> ReflectorHarness:
    return ReflectorHarness()


async def test_secrets_are_listed_by_name_and_metadata(desk: ReflectorHarness) -> None:
    """No token is transferred, and the field selector is the one that RBAC can allow."""
    desk.client.responses = [listing(secret("a", 3), version=9)]
    async with desk.running():
        await settle()
    (request,) = desk.client.requests
    assert (request.verb, request.path) == ("list", "/api/v1/secrets")
    assert request.query == {"fieldSelector": "metadata.name=ecr-pull-secret", "limit": "250"}
    assert request.accept.startswith("application/json;as=PartialObjectMetadataList")
    assert desk.woken == ["a"]
    assert desk.version("a") == 3
    assert desk.has_synced()


async def test_pages_are_joined(desk: ReflectorHarness) -> None:
    """Each page continues the previous one, and the handler gets the complete list."""
    desk.client.responses = [
        listing(secret("a", 1), more="x"),
        listing(secret("b", 2), more="y"),
        listing(secret("c", 3)),
    ]
    async with desk.running():
        await settle()
    assert [request.query.get("continue") for request in desk.client.requests] == [None, "x", "y"]
    assert desk.woken == ["a", "b", "c"]


async def test_watch_starts_at_the_version_of_the_list(desk: ReflectorHarness) -> None:
    """With bookmarks, metadata only, and a random time limit, so that watches do not all end at once."""
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


async def test_own_writes_are_not_parsed_again(desk: ReflectorHarness) -> None:
    """Most events of a watch tell of them; what others have written since is parsed."""
    async with desk.running():
        await settle()
        desk.secrets.record_write(desk.observed("a", 11))
        await desk.send(event("MODIFIED", secret("a", 11)))
        assert (desk.translated, desk.woken, desk.version("a")) == ([], [], 11)
        await desk.send(event("MODIFIED", secret("a", 12)), event("ADDED", secret("b", 11)))
    assert (desk.translated, desk.woken) == (["12", "11"], ["a", "b"])


async def test_listing_is_parsed_whatever_is_known(desk: ReflectorHarness) -> None:
    """Where etcd was put back, a version comes again with another content."""
    desk.client.responses = [listing(secret("a", 3), version=9)]
    desk.secrets.record_write(desk.observed("a", 3))
    async with desk.running():
        await settle()
    assert desk.translated == ["3"]


async def test_watched_changes_enqueue_their_namespace(desk: ReflectorHarness) -> None:
    """Additions, modifications and deletions alike."""
    desk.streams = [
        [event("ADDED", secret("a", 11)), event("MODIFIED", secret("a", 12)), event("DELETED", secret("a", 13))]
    ]
    async with desk.running():
        await settle()
    assert desk.woken == ["a", "a", "a"]
    assert desk.secrets.get("a") is None


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
@pytest.mark.parametrize("version", [3, 10])
async def test_late_and_repeated_events_are_ignored(desk: ReflectorHarness, kind: str, version: int) -> None:
    """An event that is not newer than the cached Secret enqueues nothing."""
    desk.client.responses = [listing(secret("a", 10), version=10)]
    desk.streams = [[event(kind, secret("a", version))]]
    async with desk.running():
        await settle()
    assert desk.woken == ["a"]
    assert desk.version("a") == 10


async def test_deletion_of_an_unknown_secret_is_ignored(desk: ReflectorHarness) -> None:
    """The watch reports the controller's own deletion like this."""
    desk.streams = [[event("DELETED", secret("a", 11))]]
    async with desk.running():
        await settle()
    assert desk.woken == []


async def test_own_write_does_not_enqueue(desk: ReflectorHarness) -> None:
    """The cache records it before the watch reports it, so the event is no news."""
    async with desk.running():
        await settle()
        desk.secrets.record_write(desk.observed("a", 11))
        await desk.send(event("ADDED", secret("a", 11)))
        assert desk.woken == []
        await desk.send(event("MODIFIED", secret("a", 12)))
        assert desk.woken == ["a"]


async def test_own_deletion_does_not_enqueue(desk: ReflectorHarness) -> None:
    """The cache records it at once."""
    desk.client.responses = [listing(secret("a", 3))]
    async with desk.running():
        await settle()
        desk.secrets.record_delete(desk.observed("a", 3))
        await desk.send(event("DELETED", secret("a", 11)))
    assert desk.woken == ["a"]
    assert desk.secrets.get("a") is None


@pytest.mark.parametrize(("kind", "known"), [("MODIFIED", 12), ("DELETED", None)])
async def test_own_write_does_not_replace_a_newer_event(desk: ReflectorHarness, kind: str, known: int | None) -> None:
    """The watch may report somebody else's later change before the response to the write arrives."""
    async with desk.running():
        await settle()
        await desk.send(event("ADDED", secret("a", 11)), event(kind, secret("a", 12)))
        desk.secrets.record_write(desk.observed("a", 11))
    assert desk.version("a") == known


async def test_bookmark_advances_the_version_without_enqueuing(desk: ReflectorHarness) -> None:
    """The next watch starts at the bookmark, so that the version of a quiet watch does not expire."""
    desk.streams = [[event("BOOKMARK", {"resourceVersion": "50"})], []]
    async with desk.running(seconds=2):
        pass
    assert [watch.query["resourceVersion"] for watch in desk.client.watches][:2] == ["9", "50"]
    assert desk.woken == []
    assert len(desk.client.requests) == 1


async def test_unmanaged_secret_is_cached_as_unmanaged(desk: ReflectorHarness) -> None:
    """The label decides who manages it."""
    desk.client.responses = [listing(secret("a", 3))]
    async with desk.running():
        await settle()
    found = desk.secrets.get("a")
    assert found is not None
    assert not found.managed


async def test_failed_list_removes_nothing(desk: ReflectorHarness) -> None:
    """Cached Secrets stay until a complete list omits them."""
    desk.client.responses = [listing(secret("a", 3)), listing(secret("b", 3), more="x"), AWAY]
    desk.streams = [[error(410)]]
    async with desk.running(seconds=5):
        pass
    assert desk.version("a") == 3
    assert desk.secrets.get("b") is None


async def test_forbidden_list_is_logged_with_the_rights_to_grant(
    desk: ReflectorHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """A 403 names the verbs and the resource."""
    desk.client.responses = [REFUSED]
    async with desk.running():
        await settle()
    assert "grant get, list and watch on secrets (KubernetesDenied)" in caplog.text
    assert not desk.has_synced()


async def test_planned_list_lets_the_watch_go_on_where_it_was(desk: ReflectorHarness) -> None:
    """What is told again shows whether the watch has missed anything; a list after a gap says nothing about that."""
    desk.client.responses = [listing(version=9), listing(version=60), listing(version=70)]
    async with desk.running():
        await settle()
        await desk.send(event("BOOKMARK", {"resourceVersion": "50"}))
        await asyncio.sleep(INTERVAL.total_seconds() + 1)
        await desk.send(error(410))
        await asyncio.sleep(2)
    assert [watch.query["resourceVersion"] for watch in desk.client.watches] == ["9", "50", "70"]


async def test_list_anew_forgets_what_was_told(desk: ReflectorHarness) -> None:
    """At once, and the watch begins at the version of the list."""
    desk.client.responses = [listing(version=90), listing(version=9)]
    async with desk.running():
        await settle()
        desk.watch.relist()
        await settle()
    assert [watch.query["resourceVersion"] for watch in desk.client.watches] == ["90", "9"]


async def test_list_that_is_older_than_what_was_told_is_where_the_watch_begins(desk: ReflectorHarness) -> None:
    """A watch from a version that is yet to come stays silent until then."""
    desk.client.responses = [listing(version=90), listing(version=9)]
    async with desk.running(seconds=INTERVAL.total_seconds() + 1):
        pass
    assert [watch.query["resourceVersion"] for watch in desk.client.watches] == ["90", "9"]


async def test_differences_are_those_that_the_watch_has_missed(desk: ReflectorHarness) -> None:
    """Found by one planned list and not told of until the next; a list after a gap counts nothing."""
    desk.client.responses = [
        listing(),
        *[listing(secret("missed", 20), secret("late", 21), version=30)] * 2,
        *[listing(secret("missed", 20), secret("late", 21), secret("during the gap", 40), version=50)] * 2,
    ]
    async with desk.running():
        await asyncio.sleep(INTERVAL.total_seconds() + 1)
        await desk.send(event("ADDED", secret("late", 21)))
        await asyncio.sleep(INTERVAL.total_seconds() + 1)
        await desk.send(error(410))
        await asyncio.sleep(2 * INTERVAL.total_seconds() + 1)
    assert desk.differences == [1]
