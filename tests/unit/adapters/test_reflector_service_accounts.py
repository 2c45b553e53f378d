"""A reflector of ServiceAccounts, which requests whole objects of one namespace or of all."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.reflector import Reflector, service_accounts_list_watch
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_service_account
from pullkeeper.reconcile.cached_kinds import service_account_cache
from tests.unit.adapters.reflector_harness import INTERVAL, REFUSED, Chance, Event
from testsupport.background import in_background
from testsupport.fake_client import FakeClient, ok


def raw(name: str, version: int, *entries: str) -> dict[str, Any]:
    metadata = {"namespace": "team-a", "name": name, "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "imagePullSecrets": [{"name": entry} for entry in entries]}


class Desk:
    """A reflector whose watch yields these events and then stays open."""

    def __init__(self, *events: Event, namespace: str = "") -> None:
        found = {"items": [raw("listed", 3, "ours")], "metadata": {"resourceVersion": "9"}}
        self.client = FakeClient(ok(found))
        self.client.opened = self._stream
        self.events = events
        self.accounts = service_account_cache(lambda _: None, lambda: None)
        self.watch = Reflector[ObservedServiceAccount](
            self.client,
            service_accounts_list_watch(namespace),
            translate=lambda account: observe_service_account(account, "ours"),
            handler=self.accounts.handler(namespace),
            relist_interval=INTERVAL,
            rng=Chance(),
        )

    def entries(self) -> Mapping[str, int | None]:
        return {account.name: account.entry_index for account in self.accounts.of("team-a")}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with in_background(self.watch.run(), seconds=0.1):
            yield

    async def _stream(self) -> AsyncIterator[Event]:
        for each in self.events:
            yield each
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("namespace", "path"),
    [("", "/api/v1/serviceaccounts"), ("team-a", "/api/v1/namespaces/team-a/serviceaccounts")],
)
async def test_whole_objects_are_requested(namespace: str, path: str) -> None:
    """`imagePullSecrets` are no metadata; one namespace is requested by its own path."""
    desk = Desk(namespace=namespace)
    async with desk.running():
        assert desk.accounts.synced()[0].is_set()
    for request in (*desk.client.requests, *desk.client.watches):
        assert (request.path, request.accept) == (path, "application/json")
    assert desk.client.requests[0].query == {"limit": "250"}


async def test_objects_are_translated_whole() -> None:
    """From the list and from the watch; a bookmark has no object to translate."""
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}
    desk = Desk(
        {"type": "ADDED", "object": raw("added", 11, "theirs", "ours")},
        {"type": "DELETED", "object": raw("listed", 12)},
        bookmark,
    )
    async with desk.running():
        assert desk.entries() == {"added": 1}


async def test_forbidden_list_names_every_right_that_attaching_needs(caplog: pytest.LogCaptureFixture) -> None:
    """Patch belongs in the same rule as list and watch."""
    desk = Desk()
    desk.client.responses = [REFUSED]
    async with desk.running():
        assert not desk.accounts.synced()[0].is_set()
    assert (
        "refused to list ServiceAccounts (403): grant list, watch and patch on serviceaccounts (KubernetesDenied)"
        in caplog.text
    )
