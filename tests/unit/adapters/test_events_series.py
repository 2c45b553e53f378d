"""What stands already is gone on with: after a restart, by another replica, and after the API server dropped it."""

import asyncio
import re

import pytest

from pullkeeper.domain.kube.api import Response
from tests.unit.adapters.test_events import MINUTE, Desk, sending
from testsupport.fake_client import ok


async def test_a_repetition_of_what_the_api_server_has_dropped_is_made_anew() -> None:
    """It keeps Events for an hour or so; what is gone cannot be patched, and begins again with one."""
    async with sending(Desk(ok(status=201), ok(status=404), ok(status=201), ok())) as desk:
        desk.post()
        await desk.sent()
        await asyncio.sleep(5 * MINUTE)
        desk.post()
        assert [request.verb for request in await desk.sent()] == ["patch", "create"]
        await asyncio.sleep(5 * MINUTE)
        desk.post()
        (patch,) = await desk.sent()
        assert patch.body["series"]["count"] == 2


async def test_the_name_of_an_event_comes_of_what_it_says() -> None:
    """So it is the same after a restart and on another replica, and no other Event's."""
    names = set()
    for note, instance in (("allow it", 1), ("allow it", 2), ("allow that", 3)):
        async with sending(Desk()) as desk:
            desk.post(note, detail=f" {instance}")
            names.add((await desk.sent())[0].body["metadata"]["name"])
    assert len(names) == 2
    assert all(re.fullmatch(r"ecr-pull-secret\.[0-9a-f]{16}", name) for name in names)


async def test_a_long_name_of_the_secret_leaves_room_for_the_events() -> None:
    """A Secret's name may take all of the 253 characters that an Event's has."""
    async with sending(Desk(secret_name="a" * 199 + "." + "b" * 53)) as desk:
        desk.post()
        name = (await desk.sent())[0].body["metadata"]["name"]
    assert re.fullmatch(r"a{199}\.[0-9a-f]{16}", name)


@pytest.mark.parametrize(
    ("patched", "counts"),
    [(ok({"series": {"count": 7}}), [None, 8, 9]), (ok(status=422), [None, 2, 3])],
    ids=["a series", "posted once"],
)
async def test_an_event_that_stands_from_before_a_restart_goes_on(patched: Response, counts: list[int | None]) -> None:
    """A condition that lasts is one Event however often the process begins; its count goes on from what it was."""
    async with sending(Desk(ok(status=201), ok(status=409), patched, ok())) as desk:
        desk.post("something else")
        desk.post()
        sent = (await desk.sent())[2:]
        await asyncio.sleep(5 * MINUTE)
        desk.post()
        sent += await desk.sent()
    assert [request.verb for request in sent] == ["patch"] * 3
    assert [request.body["series"].get("count") for request in sent] == counts
