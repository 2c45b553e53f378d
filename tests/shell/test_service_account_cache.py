"""The ServiceAccounts as they were last seen, whatever comes in whatever order."""

from typing import Any

import pytest

from controller.core.attachment import ObservedAccount
from controller.doors.service_account_watch import ServiceAccountCache


def account(namespace: str, name: str, version: int, *entries: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": f"{namespace}/{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "imagePullSecrets": [{"name": entry} for entry in entries]}


class Desk:
    """A cache, who was woken by it, and how often it told of a first listing."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.firsts = 0
        self.cache = ServiceAccountCache(secret_name="ours", wake=self.woken.append, listed=self._listed)

    def list(self, *accounts: dict[str, Any], version: int = 9, namespace: str | None = None) -> None:
        self.cache.replace(map(self.cache.read, accounts), version, namespace)

    def versions(self, namespace: str) -> dict[str, int]:
        return {account.name: account.resource_version for account in self.cache.of(namespace)}

    def seen(self, namespace: str, name: str, version: int) -> ObservedAccount:
        return self.cache.read(account(namespace, name, version))

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
    desk.cache.take("ADDED", account("a", "new", 12))
    desk.woken.clear()
    desk.list(account("a", "y", 2), version=10)
    assert (desk.versions("a"), desk.versions("b")) == ({"y": 2, "new": 12}, {})
    assert sorted(desk.woken) == ["a", "b"]


def test_listing_of_one_namespace_takes_nothing_from_another(desk: Desk) -> None:
    """With a listing for each namespace, each tells of its own."""
    desk.list(account("a", "x", 1), namespace="a")
    assert (desk.cache.knows("a"), desk.cache.knows("b")) == (True, False)
    desk.list(account("b", "x", 2), namespace="b")
    assert desk.cache.knows("b")
    assert (desk.versions("a"), desk.versions("b")) == ({"x": 1}, {"x": 2})


def test_before_the_first_listing_nothing_is_known(desk: Desk) -> None:
    """An account that is not there yet may still be listed; each first listing is told of, once."""
    desk.cache.take("ADDED", account("a", "x", 1))
    assert not desk.cache.knows("a")
    desk.list(account("a", "x", 1))
    desk.list(account("a", "x", 1))
    assert desk.cache.knows("a")
    assert desk.cache.knows("empty")
    assert desk.firsts == 1


def test_what_a_watch_brings_wakes(desk: Desk) -> None:
    """Added, changed and deleted ones, and any newer version: a patch may have failed because of it."""
    for kind, version in (("ADDED", 1), ("MODIFIED", 2), ("MODIFIED", 3), ("DELETED", 4)):
        desk.cache.take(kind, account("a", "x", version))
    assert desk.woken == ["a"] * 4
    assert desk.versions("a") == {}


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
@pytest.mark.parametrize("version", [3, 10])
def test_late_and_repeated_events_change_nothing(desk: Desk, kind: str, version: int) -> None:
    """What is not younger than known wakes nobody."""
    desk.cache.take("ADDED", account("a", "x", 10, "theirs"))
    desk.cache.take(kind, account("a", "x", version))
    assert desk.woken == ["a"]
    assert [seen.listed for seen in desk.cache.of("a")] == [True]


def test_bookmark_and_unknown_deletion_wake_nobody(desk: Desk) -> None:
    """Neither tells of anything that was here."""
    desk.cache.take("BOOKMARK", {"metadata": {"resourceVersion": "50"}})
    desk.cache.take("DELETED", account("a", "x", 11))
    assert desk.woken == []


def test_our_own_write_wakes_nobody(desk: Desk) -> None:
    """It is known before the watch brings it, and when it brings it, it is nothing new."""
    desk.cache.take("ADDED", account("a", "x", 10))
    desk.cache.written(desk.seen("a", "x", 11))
    desk.cache.take("MODIFIED", account("a", "x", 11))
    assert desk.woken == ["a"]
    assert desk.versions("a") == {"x": 11}


def test_write_that_the_watch_has_overtaken_is_no_news(desk: Desk) -> None:
    """If somebody changed or deleted it before our answer came in, that stands."""
    desk.cache.take("ADDED", account("a", "x", 12))
    desk.cache.written(desk.seen("a", "x", 11))
    desk.cache.written(desk.seen("a", "gone", 11))
    desk.cache.written(desk.seen("b", "gone", 11))
    assert (desk.versions("a"), desk.versions("b")) == ({"x": 12}, {})
