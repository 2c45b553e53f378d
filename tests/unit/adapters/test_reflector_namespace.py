"""A reflector of one Namespace: it is read and watched by itself, for want of rights to all of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pullkeeper.adapters.kubernetes.reflector import Reflector, namespace_list_watch
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.reconcile.cached_kinds import namespace_cache
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from tests.unit.adapters.reflector_harness import INTERVAL, Chance, Event, error, event
from testsupport.background import in_background
from testsupport.examples import NOW
from testsupport.fake_client import FakeClient, Request, ok


def namespace(version: int) -> dict[str, Any]:
    return {"name": "team-a", "uid": "uid-a", "resourceVersion": str(version)}


class Server:
    """A Namespace that was changed last at version 5, of which everything before version 100 is forgotten."""

    def __init__(self) -> None:
        self.exists = True
        self.client = FakeClient(respond=self._get)
        self.client.opened = self._watch
        self.later: Sequence[Event] = (event("BOOKMARK", {"resourceVersion": "120"}),)
        records = NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW)
        self.namespaces = namespace_cache(lambda _: None, records)
        self.reflector = Reflector[ObservedNamespace](
            self.client,
            namespace_list_watch("team-a"),
            translate=observe_namespace,
            handler=self.namespaces.handler("team-a"),
            relist_interval=INTERVAL,
            rng=Chance(),
        )

    def asked(self) -> list[str]:
        return [watch.query["resourceVersion"] for watch in self.client.watches]

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        async with in_background(self.reflector.run(), seconds=seconds):
            yield

    def _get(self, _: Request) -> Any:
        return ok({"metadata": namespace(5)}) if self.exists else ok(status=404)

    async def _watch(self) -> AsyncIterator[Event]:
        version = int(self.asked()[-1])
        if 0 < version < 100:
            yield error(410)
            return
        if version == 0 and self.exists:
            yield event("ADDED", namespace(5))
        for each in self.later:
            yield each
        await asyncio.Event().wait()


async def test_a_namespace_that_nobody_has_changed_for_long_is_watched() -> None:
    """Not read again and again because the server has forgotten its version; relists go on where the watch was."""
    server = Server()
    async with server.running(seconds=25 * 60):
        assert server.asked() == ["0", "120", "120"]
    assert len(server.client.requests) == 3


async def test_changes_are_told() -> None:
    """Whether they come before the first bookmark or after it."""
    server = Server()
    server.later = [
        event("MODIFIED", namespace(130)),
        event("BOOKMARK", {"resourceVersion": "140"}),
        event("MODIFIED", namespace(150)),
    ]
    async with server.running(seconds=1):
        found = server.namespaces.get("team-a")
    assert (found and found.resource_version, server.asked()) == (150, ["0"])


async def test_a_namespace_that_goes_between_read_and_watch_is_noticed() -> None:
    """The watch tells of nothing that is there before its first bookmark, so it is read again."""
    server = Server()
    server.client.respond = lambda _: _first_of(server)
    async with server.running(seconds=30):
        assert server.namespaces.get("team-a") is None
    assert server.asked() == ["0"]


def _first_of(server: Server) -> Any:
    """Answer that it exists, once."""
    existed, server.exists = server.exists, False
    return ok({"metadata": namespace(5)}) if existed else ok(status=404)
