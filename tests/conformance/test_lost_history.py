"""What a client sees that asks for a past which the server no longer has."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from testsupport.objects import SECOND, pull_secret, secrets_in, version_of
from testsupport.rest import METADATA, METADATA_LIST, Answer, RestClient


@pytest.fixture
async def chunk(api: RestClient, compact: Callable[[], None], namespace: str) -> dict[str, Any]:
    """List the first of three Secrets, change them all, make the server forget, and give the list."""
    path = secrets_in(namespace)
    for number in range(3):
        (await api.apply(f"{path}/s{number}", pull_secret(f"s{number}"))).ok()
    listed: dict[str, Any] = (await api.get(path, accept=METADATA_LIST, limit=1)).ok()
    for number in range(3):
        (await api.apply(f"{path}/s{number}", pull_secret(f"s{number}", SECOND))).ok()
    await asyncio.to_thread(compact)
    return listed


async def resume(api: RestClient, namespace: str, token: str) -> Answer:
    return await api.get(secrets_in(namespace), accept=METADATA_LIST, limit=9, **{"continue": token})


async def test_a_watch_from_before_gets_one_error_event(api: RestClient, namespace: str, chunk: dict[str, Any]) -> None:
    """The watch is 200; its only event is an ERROR with a Status of code 410, and then it ends."""
    version = version_of(chunk)
    async with api.watch(secrets_in(namespace), accept=METADATA, resourceVersion=version) as events:
        [event] = await events.rest()
    assert event["type"] == "ERROR"
    message = event["object"].pop("message")
    assert message.startswith(f"too old resource version: {version} (")
    assert event["object"] == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "Expired",
        "code": 410,
    }


async def test_a_chunk_from_before_is_expired_and_offers_the_rest(
    api: RestClient, namespace: str, chunk: dict[str, Any]
) -> None:
    """A 410 brings a token that continues after the same item, with what is there now."""
    expired = await resume(api, namespace, chunk["metadata"]["continue"])
    assert expired.verdict == (410, "Expired")
    assert expired.message.startswith("The provided continue parameter is too old")
    rest = (await resume(api, namespace, expired.body["metadata"]["continue"])).ok()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["s1", "s2"]
    assert int(version_of(rest)) > int(version_of(chunk))


async def test_the_present_is_not_forgotten(api: RestClient, namespace: str, chunk: dict[str, Any]) -> None:
    """A list made now can be watched from."""
    listed = (await api.get(secrets_in(namespace), accept=METADATA_LIST)).ok()
    assert int(version_of(listed)) > int(version_of(chunk))
    path = secrets_in(namespace)
    async with api.watch(path, accept=METADATA, resourceVersion=version_of(listed)) as events:
        (await api.delete(f"{path}/s0")).ok()
        assert (await events.next())["type"] == "DELETED"
