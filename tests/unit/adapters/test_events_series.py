"""Series of Events that outlive the process: after a restart, on another replica, and once they have been deleted."""

import asyncio
import re

import pytest

from pullkeeper.domain.kube.api import Response
from tests.unit.adapters.test_events import MINUTE, Desk, sending
from testsupport.fake_client import ok


async def test_event_that_was_deleted_is_created_again() -> None:
    """The API server deletes an Event after about an hour; its series starts over with a count of one."""
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


async def test_name_depends_on_the_note_alone() -> None:
    """So that a restarted process and another replica find the same Event."""
    names = set()
    for note, detail in (("allow it", 1), ("allow it", 2), ("allow that", 3)):
        async with sending(Desk()) as desk:
            desk.post(note, detail=f" {detail}")
            names.add((await desk.sent())[0].body["metadata"]["name"])
    assert len(names) == 2
    assert all(re.fullmatch(r"ecr-pull-secret\.[0-9a-f]{16}", name) for name in names)


async def test_long_secret_name_is_cut_in_the_name_of_the_event() -> None:
    """Both may have up to 253 characters."""
    async with sending(Desk(secret_name="a" * 199 + "." + "b" * 53)) as desk:
        desk.post()
        name = (await desk.sent())[0].body["metadata"]["name"]
    assert re.fullmatch(r"a{199}\.[0-9a-f]{16}", name)


@pytest.mark.parametrize(
    ("patched", "counts"),
    [
        (ok({"series": {"count": 7}}), [None, 8, 9]),
        (ok(status=422), [None, 2, 3]),
        (ok({"series": {"lastObservedTime": "x"}}), [None, 2, 3]),
        (ok({}), [None, 2, 3]),
    ],
    ids=["a series", "posted once", "a series without a count", "somebody else's Event of that name"],
)
async def test_series_of_another_process_is_continued(patched: Response, counts: list[int | None]) -> None:
    """However often the process restarts, a lasting condition is one Event whose count keeps growing."""
    async with sending(Desk(ok(status=201), ok(status=409), patched, ok())) as desk:
        desk.post("something else")
        desk.post()
        sent = (await desk.sent())[2:]
        await asyncio.sleep(5 * MINUTE)
        desk.post()
        sent += await desk.sent()
    assert [request.verb for request in sent] == ["patch"] * 3
    assert [request.body["series"].get("count") for request in sent] == counts
