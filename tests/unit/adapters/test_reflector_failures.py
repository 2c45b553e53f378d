"""The watch of Secrets when the API server does not play along."""

import asyncio

import pytest

from pullkeeper.domain.kube.api import Response
from tests.unit.adapters.reflector_harness import GONE, REFUSED, ReflectorHarness, error, event, listing, secret
from testsupport.fake_client import AWAY, ok


@pytest.fixture
async def desk() -> ReflectorHarness:
    return ReflectorHarness()


async def test_history_that_is_gone_is_listed_anew(desk: ReflectorHarness) -> None:
    """ERROR 410 in a watch: the next listing finds what was missed meanwhile, a deletion too."""
    desk.client.responses = [listing(secret("a", 3), secret("b", 3)), listing(secret("b", 20), version=20)]
    desk.streams = [[error(410)]]
    async with desk.running(seconds=2):
        assert len(desk.client.requests) == 2
        assert desk.client.watches[-1].query["resourceVersion"] == "20"
    assert desk.woken == ["a", "b", "a", "b"]
    assert desk.secrets.get("a") is None
    assert desk.version("b") == 20


async def test_history_that_is_always_gone_is_not_asked_for_without_a_pause(desk: ReflectorHarness) -> None:
    """An API server that answers each watch with 410 is not flooded."""
    desk.streams = [[error(410)]] * 1000
    async with desk.running(seconds=60):
        assert len(desk.client.requests) <= 121


async def test_a_watch_that_ends_at_once_is_not_opened_again_at_once(desk: ReflectorHarness) -> None:
    """And it is opened again, not listed again."""
    desk.streams = [[]] * 1000
    async with desk.running(seconds=60):
        assert 60 <= len(desk.client.watches) <= 121
        assert len(desk.client.requests) == 1


@pytest.mark.parametrize("answer", [AWAY, REFUSED, GONE, ok(status=429), ok(status=500)])
async def test_a_listing_that_fails_is_tried_later_each_time(
    desk: ReflectorHarness, answer: Response | Exception
) -> None:
    """Waits grow up to half a minute or so, and the first success brings everything."""
    desk.client.responses = [answer] * 6 + [listing(secret("a", 3))]
    async with desk.running(seconds=1 + 2 + 4 + 8 + 16 + 0.5):
        assert len(desk.client.requests) == 6
        assert not desk.secrets.synced.is_set()
        await asyncio.sleep(17)
        assert desk.secrets.synced.is_set()
    assert desk.woken == ["a"]


@pytest.mark.parametrize("trouble", [AWAY, error(403), error(429), error(500), error(0)])
async def test_a_watch_that_fails_does_not_list_the_cluster_again_and_again(
    desk: ReflectorHarness, trouble: Exception | dict[str, object]
) -> None:
    """A cluster-wide listing costs the API server dearly, so the pauses between two grow here too."""
    desk.streams = [[trouble]] * 1000
    async with desk.running(seconds=120):
        assert 4 <= len(desk.client.requests) <= 12


async def test_a_stream_that_breaks_goes_on_after_a_pause(desk: ReflectorHarness) -> None:
    """What was brought before the break is kept, and what follows is listed."""
    desk.client.responses = [listing(), listing(secret("a", 11), secret("b", 12), version=12)]
    desk.streams = [[event("ADDED", secret("a", 11)), AWAY]]
    async with desk.running(seconds=3):
        assert desk.version("a") == 11
        assert desk.version("b") == 12
    assert desk.woken == ["a", "b"]


async def test_watches_that_are_cut_after_good_work_do_not_grow_the_pauses(desk: ReflectorHarness) -> None:
    """Where a proxy cuts every stream, each one goes on soon."""
    async with desk.running():
        for _ in range(10):
            await asyncio.sleep(100)
            await desk.say(AWAY)
            await asyncio.sleep(1.1)
        assert len(desk.client.requests) == 11


async def test_a_missed_deletion_is_found_by_the_next_listing(desk: ReflectorHarness) -> None:
    """Everything is listed anew in each interval, however well the watch seems to go."""
    desk.client.responses = [listing(secret("a", 3)), listing(version=30)]
    async with desk.running(seconds=599):
        assert desk.version("a") == 3
        await asyncio.sleep(2)
        assert desk.secrets.get("a") is None
    assert desk.woken == ["a", "a"]


async def test_a_listing_does_not_take_away_what_is_younger(desk: ReflectorHarness) -> None:
    """Our own write may have come after the listing was made."""
    desk.client.responses = [listing(secret("a", 3)), listing(version=20), listing(version=40)]
    async with desk.running(seconds=1):
        desk.secrets.written("a", desk.observed("a", 30))
        await asyncio.sleep(600)
        assert desk.version("a") == 30
        await asyncio.sleep(600)
        assert desk.secrets.get("a") is None
