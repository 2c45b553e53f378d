"""A reflector of Secrets while requests fail."""

import asyncio

import pytest

from pullkeeper.domain.kube.api import Response
from tests.unit.adapters.reflector_harness import GONE, REFUSED, ReflectorHarness, error, event, listing, secret
from testsupport.fake_client import AWAY, Request, ok


@pytest.fixture
async def desk() -> ReflectorHarness:
    return ReflectorHarness()


async def test_expired_watch_is_listed_again(desk: ReflectorHarness) -> None:
    """After an ERROR event with 410 the next list reveals what was missed, deletions too."""
    desk.client.responses = [listing(secret("a", 3), secret("b", 3)), listing(secret("b", 20), version=20)]
    desk.streams = [[error(410)]]
    async with desk.running(seconds=2):
        assert len(desk.client.requests) == 2
        assert desk.client.watches[-1].query["resourceVersion"] == "20"
    assert desk.woken == ["a", "b", "a", "b"]
    assert desk.secrets.get("a") is None
    assert desk.version("b") == 20


async def test_watches_that_always_expire_are_paused(desk: ReflectorHarness) -> None:
    """An API server that answers every watch with 410 is not flooded with lists."""
    desk.streams = [[error(410)]] * 1000
    async with desk.running(seconds=60):
        assert len(desk.client.requests) <= 121


async def test_watch_that_ends_at_once_is_reopened_after_a_pause(desk: ReflectorHarness) -> None:
    """It is watched again, not listed again."""
    desk.streams = [[]] * 1000
    async with desk.running(seconds=60):
        assert 60 <= len(desk.client.watches) <= 121
        assert len(desk.client.requests) == 1


@pytest.mark.parametrize("answer", [AWAY, REFUSED, GONE, ok(status=429), ok(status=500)])
async def test_failing_list_is_retried_with_backoff(desk: ReflectorHarness, answer: Response | Exception) -> None:
    """The delay grows to about half a minute, and the first success syncs the cache."""
    desk.client.responses = [answer] * 6 + [listing(secret("a", 3))]
    async with desk.running(seconds=1 + 2 + 4 + 8 + 16 + 0.5):
        assert len(desk.client.requests) == 6
        assert not desk.has_synced()
        await asyncio.sleep(17)
        assert desk.has_synced()
    assert desk.woken == ["a"]


@pytest.mark.parametrize("failure", [AWAY, error(403), error(429), error(500), error(0)])
async def test_failing_watch_is_retried_with_backoff(
    desk: ReflectorHarness, failure: Exception | dict[str, object]
) -> None:
    """A cluster-wide list is expensive for the API server, so the delay between two of them grows here too."""
    desk.streams = [[failure]] * 1000
    async with desk.running(seconds=120):
        assert 4 <= len(desk.client.requests) <= 12


async def test_broken_stream_is_listed_again(desk: ReflectorHarness) -> None:
    """Events before the break are kept, and the list reveals those after it."""
    desk.client.responses = [listing(), listing(secret("a", 11), secret("b", 12), version=12)]
    desk.streams = [[event("ADDED", secret("a", 11)), AWAY]]
    async with desk.running(seconds=3):
        assert desk.version("a") == 11
        assert desk.version("b") == 12
    assert desk.woken == ["a", "b"]


async def test_long_watch_resets_the_backoff(desk: ReflectorHarness) -> None:
    """Behind a proxy that cuts every stream, each watch is reopened soon."""
    async with desk.running():
        for _ in range(10):
            await asyncio.sleep(100)
            await desk.send(AWAY)
            await asyncio.sleep(1.1)
        assert len(desk.client.requests) == 11


async def test_missed_deletion_is_found_by_the_next_relist(desk: ReflectorHarness) -> None:
    """Everything is listed once per interval, however healthy the watch seems."""
    desk.client.responses = [listing(secret("a", 3)), listing(version=30)]
    async with desk.running(seconds=599):
        assert desk.version("a") == 3
        await asyncio.sleep(2)
        assert desk.secrets.get("a") is None
    assert desk.woken == ["a", "a"]


async def test_list_does_not_remove_a_newer_secret(desk: ReflectorHarness) -> None:
    """The controller may have written it while the list was under way."""
    lists = iter([listing(secret("a", 3)), listing(version=20), listing(version=40)])

    def respond(_: Request) -> Response:
        found = next(lists)
        if found.body["metadata"]["resourceVersion"] == "20":
            desk.secrets.record_write(desk.observed("a", 30))
        return found

    desk.client.respond = respond
    async with desk.running(seconds=601):
        assert desk.version("a") == 30
        await asyncio.sleep(600)
        assert desk.secrets.get("a") is None


async def test_each_cause_is_said_once(desk: ReflectorHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Not at every retry; what happens after the watch has worked is another disturbance."""
    caplog.set_level("INFO")
    desk.client.responses = [AWAY, AWAY, AWAY, listing(version=9)]
    async with desk.running(seconds=30):
        await desk.send(event("BOOKMARK", {"resourceVersion": "50"}))
        await desk.send(AWAY)
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "watch of Secrets named ecr-pull-secret failed",
        "watch of Secrets named ecr-pull-secret works again",
        "watch of Secrets named ecr-pull-secret failed",
    ]


async def test_watch_that_breaks_after_a_while_is_another_disturbance(
    desk: ReflectorHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if it has told of nothing meanwhile; one that breaks at once is the same."""
    desk.streams = [[AWAY], [AWAY]]
    async with desk.running(seconds=30):
        assert len(caplog.messages) == 1
        await desk.send(AWAY)
        assert len(caplog.messages) == 2
