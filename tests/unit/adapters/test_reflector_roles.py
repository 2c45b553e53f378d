"""A reflector of the roles of ServiceAccounts: metadata alone, of one name or of all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pullkeeper.adapters.kubernetes.reflector import Reflector, roles_list_watch
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_role
from pullkeeper.reconcile.cached_kinds import service_account_cache
from tests.unit.adapters.reflector_harness import INTERVAL, REFUSED, Chance, Event
from testsupport.background import in_background
from testsupport.fake_client import FakeClient, ok

_METADATA = "application/json;as=PartialObjectMetadata"
_EVERYWHERE, _THERE = "/api/v1/serviceaccounts", "/api/v1/namespaces/team-a/serviceaccounts"


async def _open_watch() -> AsyncIterator[Event]:
    """Stay open, and tell of nothing."""
    await asyncio.Event().wait()
    yield {}


def reflector(client: FakeClient, name: str, namespace: str = "") -> Reflector[ObservedServiceAccount]:
    return Reflector[ObservedServiceAccount](
        client,
        roles_list_watch(name, namespace),
        translate=observe_role,
        handler=service_account_cache(lambda _: None, lambda: None).handler(namespace),
        relist_interval=INTERVAL,
        rng=Chance(),
    )


@pytest.mark.parametrize(
    ("name", "namespace", "path", "selector"),
    [
        ("puller", "", _EVERYWHERE, "metadata.name=puller"),
        ("puller", "team-a", _THERE, "metadata.name=puller"),
        ("*", "", _EVERYWHERE, None),
        ("*", "team-a", _THERE, None),
    ],
)
async def test_metadata_of_one_name_is_requested(name: str, namespace: str, path: str, selector: str | None) -> None:
    """With the selector by which RBAC can limit it to the name; for all of them without one."""
    client = FakeClient(ok({"items": [], "metadata": {"resourceVersion": "9"}}))
    client.opened = _open_watch
    async with in_background(reflector(client, name, namespace).run(), seconds=0.1):
        requests = (*client.requests[:1], *client.watches[:1])
    assert [(request.path, request.query.get("fieldSelector")) for request in requests] == [(path, selector)] * 2
    assert all(str(request.accept).startswith(_METADATA) for request in requests)


@pytest.mark.parametrize(
    ("name", "what"), [("puller", "ServiceAccounts named puller in team-a"), ("*", "ServiceAccounts in team-a")]
)
async def test_denied_list_names_the_rights(caplog: pytest.LogCaptureFixture, name: str, what: str) -> None:
    """And which ServiceAccounts it is about."""
    client = FakeClient(REFUSED)
    async with in_background(reflector(client, name, "team-a").run(), seconds=0.1):
        pass
    assert f"refused to list {what} (403): grant get, list and watch on serviceaccounts" in caplog.text
