"""ServiceAccounts: listed in chunks, then watched, of all namespaces or of one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from controller.core.api import Answer
from controller.doors.service_account_watch import ServiceAccountCache, ServiceAccountWatch
from tests.shell.api_watch import GONE, INTERVAL, REFUSED, Chance, Event, error
from tests.shell.messages import AWAY, Switchboard, ok
from tests.shell.test_service_account_cache import account


def listing(*accounts: Mapping[str, Any], version: int = 9, goes_on: str = "") -> Answer:
    return ok({"items": list(accounts) or None, "metadata": {"resourceVersion": str(version), "continue": goes_on}})


class Desk:
    """Streams are played one after the other; where there is none left, a watch stays open and silent."""

    def __init__(self, namespace: str | None = None) -> None:
        self.line = Switchboard(listing())
        self.line.stream = self._stream
        self.streams: list[Sequence[Event | Exception]] = []
        self.woken: list[str] = []
        self.cache = ServiceAccountCache(secret_name="ours", wake=self.woken.append)
        self.watch = ServiceAccountWatch(
            self.line, self.cache, relist_after=INTERVAL, chance=Chance(), namespace=namespace
        )

    def versions(self) -> dict[str, int]:
        return {account.name: account.resource_version for account in self.cache.of("a")}

    @asynccontextmanager
    async def running(self, seconds: float = 0.1) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            await asyncio.sleep(seconds)
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _stream(self) -> AsyncIterator[Event]:
        if self.streams:
            for each in self.streams.pop(0):
                if isinstance(each, Exception):
                    raise each
                yield each
        else:
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("namespace", "path"),
    [(None, "/api/v1/serviceaccounts"), ("team-a", "/api/v1/namespaces/team-a/serviceaccounts")],
)
async def test_listed_and_watched_whole_in_all_namespaces_or_one(namespace: str | None, path: str) -> None:
    """Their list is no metadata; the watch begins where the listing ended, with bookmarks and an end of its own."""
    desk = Desk(namespace)
    async with desk.running():
        assert desk.watch.synced.is_set()
        assert desk.cache.knows("other") == (namespace is None)
    (request,), (watch,) = desk.line.asked, desk.line.watches
    assert (request.verb, request.path, request.query, request.accept) == (
        "list",
        path,
        {"limit": "500"},
        "application/json",
    )
    assert 300 <= int(watch.query.pop("timeoutSeconds")) < 600
    assert (watch.path, watch.accept, desk.line.silences) == (path, "application/json", [90])
    assert watch.query == {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "9"}


async def test_long_listing_comes_in_chunks() -> None:
    """Each page goes on where the last one ended, and only the whole is taken over."""
    desk = Desk()
    desk.line.answers = [listing(account("a", "x", 1), goes_on="n"), listing(account("a", "y", 2))]
    async with desk.running():
        assert desk.versions() == {"x": 1, "y": 2}
    assert [request.query.get("continue") for request in desk.line.asked] == [None, "n"]


async def test_listing_that_has_grown_old_on_the_way_begins_anew() -> None:
    """410 between two pages: what came before is dropped, because some of it may be gone."""
    desk = Desk()
    desk.line.answers = [listing(account("a", "x", 1), goes_on="n"), GONE, listing(account("a", "y", 2))]
    async with desk.running():
        assert desk.versions() == {"y": 2}


async def test_broken_listing_takes_nothing_away() -> None:
    """What is known stays until a whole listing says otherwise."""
    desk = Desk()
    desk.line.answers = [listing(account("a", "x", 1)), listing(account("a", "y", 2), goes_on="n"), AWAY]
    desk.streams = [[error(410)]]
    async with desk.running(seconds=5):
        assert desk.versions() == {"x": 1}


async def test_watch_goes_on_where_it_ended() -> None:
    """At the last event or bookmark, without another listing and not without a pause."""
    desk = Desk()
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}
    desk.streams = [[{"type": "ADDED", "object": account("a", "x", 11)}], [bookmark], *([[]] * 1000)]
    async with desk.running(seconds=60):
        assert desk.versions() == {"x": 11}
    assert [watch.query["resourceVersion"] for watch in desk.line.watches][:3] == ["9", "11", "50"]
    assert 60 <= len(desk.line.watches) <= 123
    assert len(desk.line.asked) == 1


@pytest.mark.parametrize("trouble", [AWAY, error(403), error(429), error(500), error(0), error(410)])
async def test_watch_that_fails_is_listed_anew_at_growing_intervals(trouble: Event | Exception) -> None:
    """What was missed is found, and an API server in trouble is not flooded."""
    desk = Desk()
    desk.line.answers = [listing(), listing(account("a", "x", 20), version=20)]
    desk.streams = [[trouble]] * 1000
    async with desk.running(seconds=60):
        assert desk.versions() == {"x": 20}
        assert 3 <= len(desk.line.asked) <= 121


async def test_all_is_listed_anew_after_a_while() -> None:
    """What a watch has missed does not stay missed for longer than an audit."""
    desk = Desk()
    async with desk.running(seconds=INTERVAL.total_seconds() * 3 + 1):
        assert len(desk.line.asked) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (REFUSED, "refuses to list or watch ServiceAccounts (403): grant list, watch and patch (KubernetesDenied)"),
        (ok(status=500), "could not list or watch ServiceAccounts (status 500) (KubernetesUnavailable)"),
    ],
)
async def test_refusal_is_told_with_what_to_grant(answer: Answer, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again and again: when the right is granted, all is listed."""
    desk = Desk()
    desk.line.answers = [answer, answer, listing(account("a", "x", 1))]
    async with desk.running():
        assert not desk.watch.synced.is_set()
        await asyncio.sleep(10)
        assert desk.versions() == {"x": 1}
    assert words in caplog.text
