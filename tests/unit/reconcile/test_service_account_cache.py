"""The ServiceAccounts as they were last seen, whatever comes in whatever order."""

from collections.abc import Callable
from typing import Any

import pytest

from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_service_account
from pullkeeper.reconcile.service_account_cache import AccountsSink, ServiceAccountCache


def account(namespace: str, name: str, version: int, *entries: str) -> ObservedServiceAccount:
    metadata: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "uid": f"{namespace}/{name}",
        "resourceVersion": str(version),
    }
    return observe_service_account(
        {"metadata": metadata, "imagePullSecrets": [{"name": entry} for entry in entries]}, "ours"
    )


class Desk:
    """A cache, who was woken by it, and how often it told of a first listing."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.firsts = 0
        self.accounts = ServiceAccountCache(wake=self.woken.append, listed=self._listed)

    def list(self, *accounts: ObservedServiceAccount, version: int = 9, namespace: str = "") -> None:
        self.accounts.replace(accounts, version, namespace)

    def versions(self, namespace: str) -> dict[str, int]:
        return {account.name: account.resource_version for account in self.accounts.of(namespace)}

    def _listed(self) -> None:
        self.firsts += 1


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_listing_wakes_each_namespace_that_has_something_new(desk: Desk) -> None:
    """What is as it was wakes nobody, so that an audit at rest costs nothing."""
    desk.list(account("a", "x", 1), account("a", "y", 2), account("b", "x", 3))
    assert desk.woken == ["a", "a", "b"]
    desk.list(account("a", "x", 1), account("a", "y", 7), account("b", "x", 3))
    assert desk.woken == ["a", "a", "b", "a"]
    assert desk.versions("a") == {"x": 1, "y": 7}


def test_what_is_not_listed_is_gone_unless_it_is_younger(desk: Desk) -> None:
    """A listing says what was at its version; what came after it stands."""
    desk.list(account("a", "x", 1), account("a", "y", 2), account("b", "x", 3))
    desk.accounts.upsert(account("a", "new", 12))
    desk.woken.clear()
    desk.list(account("a", "y", 2), version=10)
    assert (desk.versions("a"), desk.versions("b")) == ({"y": 2, "new": 12}, {})
    assert sorted(desk.woken) == ["a", "b"]


def test_listing_of_one_namespace_takes_nothing_from_another(desk: Desk) -> None:
    """With a listing for each namespace, each tells of its own."""
    desk.list(account("a", "x", 1), namespace="a")
    assert (desk.accounts.knows("a"), desk.accounts.knows("b")) == (True, False)
    desk.list(account("b", "x", 2), namespace="b")
    assert desk.accounts.knows("b")
    assert (desk.versions("a"), desk.versions("b")) == ({"x": 1}, {"x": 2})


def test_before_the_first_listing_nothing_is_known(desk: Desk) -> None:
    """An account that is not there yet may still be listed; each first listing is told of, once."""
    desk.accounts.upsert(account("a", "x", 1))
    assert not desk.accounts.knows("a")
    desk.list(account("a", "x", 1))
    desk.list(account("a", "x", 1))
    assert desk.accounts.knows("a")
    assert desk.accounts.knows("empty")
    assert desk.firsts == 1


def test_what_a_watch_brings_wakes(desk: Desk) -> None:
    """Added, changed and deleted ones, and any newer version: a patch may have failed because of it."""
    for version in (1, 2, 3):
        desk.accounts.upsert(account("a", "x", version))
    desk.accounts.delete(account("a", "x", 4))
    assert desk.woken == ["a"] * 4
    assert desk.versions("a") == {}


@pytest.mark.parametrize("event", [ServiceAccountCache.upsert, ServiceAccountCache.delete])
@pytest.mark.parametrize("version", [3, 10])
def test_late_and_repeated_events_change_nothing(
    desk: Desk, event: Callable[[ServiceAccountCache, ObservedServiceAccount], None], version: int
) -> None:
    """What is not younger than known wakes nobody."""
    desk.accounts.upsert(account("a", "x", 10, "theirs"))
    event(desk.accounts, account("a", "x", version))
    assert desk.woken == ["a"]
    assert [seen.listed for seen in desk.accounts.of("a")] == [True]


def test_unknown_deletion_wakes_nobody(desk: Desk) -> None:
    """It tells of nothing that was here."""
    desk.accounts.delete(account("a", "x", 11))
    assert desk.woken == []


def test_our_own_write_wakes_nobody(desk: Desk) -> None:
    """It is known before the watch brings it, and when it brings it, it is nothing new."""
    desk.accounts.upsert(account("a", "x", 10))
    desk.accounts.written(account("a", "x", 11))
    desk.accounts.upsert(account("a", "x", 11))
    assert desk.woken == ["a"]
    assert desk.versions("a") == {"x": 11}


def test_write_that_the_watch_has_overtaken_is_no_news(desk: Desk) -> None:
    """If somebody changed or deleted it before our answer came in, that stands."""
    desk.accounts.upsert(account("a", "x", 12))
    desk.accounts.written(account("a", "x", 11))
    desk.accounts.written(account("a", "gone", 11))
    desk.accounts.written(account("b", "gone", 11))
    assert (desk.versions("a"), desk.versions("b")) == ({"x": 12}, {})


@pytest.mark.parametrize(("namespace", "goes_on"), [("", False), ("a", True)])
def test_refusal_holds_up_nobody_else(desk: Desk, namespace: str, goes_on: bool) -> None:  # noqa: FBT001 -- a table's column
    """Without a right to look in one namespace the others are ready; without any, there is nothing to be ready with."""
    sink = AccountsSink(desk.accounts, namespace)
    sink.on_forbidden()
    assert sink.synced.is_set() == goes_on
    assert not desk.accounts.knows("a")


def test_sink_tells_of_its_own_namespace(desk: Desk) -> None:
    """A listing of one namespace is all of that one, and ready then; the rest is passed on."""
    sink = AccountsSink(desk.accounts, "a")
    desk.accounts.upsert(account("b", "x", 1))
    sink.upsert(account("a", "x", 1))
    sink.replace([account("a", "y", 2)], 9)
    sink.on_bookmark(9)
    assert sink.synced.is_set()
    assert (desk.versions("a"), desk.versions("b")) == ({"y": 2}, {"x": 1})
    sink.delete(account("a", "y", 10))
    assert desk.versions("a") == {}
