"""The fake API server goes wrong exactly as asked, at once, and recovers."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from testsupport.fake_kube import ApiServer, matching, serve

SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with serve(history_limit=5) as running:
        yield running


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cafile=server.ca_file)
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
        yield session


def secret(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


async def names(http: aiohttp.ClientSession) -> list[str]:
    async with http.get(SECRETS) as response:
        return [item["metadata"]["name"] for item in (await response.json())["items"]]


async def event(response: aiohttp.ClientResponse) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(await response.content.readline())
    return parsed


async def test_a_throttled_request_names_the_time_to_wait(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """429 comes with Retry-After, as often as asked, and only where the predicate says."""
    server.faults.too_many_requests(matching(verb="list", resource="secrets"), retry_after=7, times=1)
    async with http.get("/api/v1/namespaces") as response:
        assert response.status == 200
    async with http.get(SECRETS) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert (await response.json())["reason"] == "TooManyRequests"
    assert await names(http) == []


async def test_a_failure_ends_with_its_context(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """A fault is in force for the length of a `with`, and counts what it hit."""
    with server.faults.fail(503) as fault:
        async with http.get(SECRETS) as response:
            assert response.status == 503
    assert fault.hits == 1
    assert await names(http) == []


async def test_a_reset_request_is_not_carried_out(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """The connection breaks, and nothing was stored."""
    server.faults.reset(matching(verb="create"), times=1)
    with pytest.raises(aiohttp.ClientError):
        await http.post(SECRETS, json=secret("s"))
    assert server.state.get("secrets", "default", "s") is None


async def test_a_lost_answer_was_carried_out(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """The connection breaks, but the object is there."""
    server.faults.lose_answer(matching(verb="create"), times=1)
    with pytest.raises(aiohttp.ClientError):
        await http.post(SECRETS, json=secret("s"))
    assert server.state.get("secrets", "default", "s") is not None


async def test_down_breaks_open_watches_and_new_requests(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """While the server is down nothing gets through; afterwards everything does."""
    async with http.get(SECRETS, params={"watch": "1"}) as watch:
        with server.faults.outage():
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()
            with pytest.raises(aiohttp.ClientError):
                await http.get(SECRETS)
    assert await names(http) == []


async def test_dropped_watches_end_like_any_stream(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """The client sees an orderly end of the stream, in the watches that match only."""
    async with http.get(SECRETS, params={"watch": "1"}) as watch, http.get("/api/v1/pods", params={"watch": "1"}):
        assert server.faults.drop_watches(matching(resource="secrets")) == 1
        assert await watch.content.read() == b""
    assert len(server.watches) <= 1


async def test_swallowed_changes_are_in_lists_only(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """No watch ever tells of them, neither the open ones nor those that go back in time."""
    before = str(server.state.resource_version)
    async with http.get(SECRETS, params={"watch": "1", "resourceVersion": before}) as watch:
        server.faults.swallow("secrets")
        server.state.create(secret("missed"))
        server.state.create(secret("seen"))
        assert (await event(watch))["object"]["metadata"]["name"] == "seen"
    async with http.get(SECRETS, params={"watch": "1", "resourceVersion": before}) as watch:
        assert (await event(watch))["object"]["metadata"]["name"] == "seen"
    assert await names(http) == ["missed", "seen"]


async def test_stale_lists_show_the_past(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """What is written after the fault began is not listed until it ends; a get has it."""
    server.state.create(secret("old"))
    with server.faults.stale_lists():
        server.state.create(secret("new"))
        server.state.delete("secrets", "default", "old")
        assert await names(http) == ["old"]
        async with http.get(f"{SECRETS}/new") as response:
            assert response.status == 200
    assert await names(http) == ["new"]


async def test_rejected_tokens(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """401 on and off, for whom the predicate says."""
    with server.faults.reject_tokens(matching(user="admin")):
        async with http.get(SECRETS) as response:
            assert response.status == 401
    assert await names(http) == []


async def test_latency_holds_a_request_back(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """Other requests pass it meanwhile."""
    server.faults.latency(30, matching(resource="secrets"))
    slow = asyncio.create_task(names(http))
    async with http.get("/api/v1/namespaces") as response:
        assert response.status == 200
    assert not slow.done()
    slow.cancel()


async def test_history_beyond_the_limit_is_expired(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """A watch from before the kept changes gets one ERROR event, and the end."""
    before = str(server.state.resource_version)
    for number in range(6):
        server.state.create(secret(f"s{number}"))
    async with http.get(SECRETS, params={"watch": "1", "resourceVersion": before}) as watch:
        assert (await event(watch))["object"]["code"] == 410
        assert await watch.content.read() == b""


async def test_bookmarks_on_demand(server: ApiServer, http: aiohttp.ClientSession) -> None:
    """A test need not wait for a minute to see a bookmark."""
    query = {"watch": "1", "allowWatchBookmarks": "1", "resourceVersion": str(server.state.resource_version)}
    async with http.get(SECRETS, params=query) as watch:
        server.watches.send_bookmarks()
        assert (await event(watch))["type"] == "BOOKMARK"
