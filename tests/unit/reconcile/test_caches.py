"""The caches, whatever comes in whatever order."""

from collections.abc import Callable
from typing import Any

import pytest

from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_service_account
from pullkeeper.reconcile.cached_kinds import namespace_cache, secret_cache, service_account_cache
from pullkeeper.reconcile.caches import CacheReports, ResourceCache
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from testsupport.examples import EU, NOW, managed, published

ON = {"enabled": "true"}


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


def test_what_is_known_is_as_new_as_the_object_or_the_last_listing() -> None:
    """Of an object that is watched by its name, that is its own version or one that the watch has told of."""
    cache = namespace_cache(lambda _: None, NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW))
    cache.handler().replace([], 5, watched=False)
    assert [cache.is_known_at(version, "team") for version in (5, 6)] == [True, False]
    cache.upsert(ObservedNamespace(name="team", uid="uid", resource_version=7))
    assert [cache.is_known_at(version, "team") for version in (7, 8)] == [True, False]
    assert [cache.is_known_at(version, "other") for version in (5, 7)] == [True, False]
    alone = cache.handler("alone")
    alone.replace([ObservedNamespace(name="alone", uid="uid", resource_version=2)], 2, watched=False)
    assert [cache.is_known_at(version, "alone") for version in (2, 3)] == [True, False]
    alone.on_bookmark(9)
    assert [cache.is_known_at(version, "alone") for version in (9, 10)] == [True, False]


class Reported:
    """What a cache has reported."""

    def __init__(self) -> None:
        self.went_back: list[tuple[str, int]] = []
        self.differences: list[tuple[str, int]] = []

    def reports(self) -> CacheReports:
        return CacheReports(
            record_differences=lambda kind, count: self.differences.append((kind, count)),
            on_went_back=lambda kind, version: self.went_back.append((kind, version)),
        )


class CacheHarness:
    """A cache of ServiceAccounts, what it has enqueued and reported, and how many scopes it has reported as listed."""

    def __init__(self) -> None:
        self.enqueued: list[str] = []
        self.listed_scopes = 0
        self.reported = Reported()
        self.cache = service_account_cache(self.enqueued.append, self._on_synced, self.reported.reports())
        self.handler = self.cache.handler()

    def list(self, *accounts: ObservedServiceAccount, version: int = 9, scope: str = "", watched: bool = True) -> None:
        self.cache.handler(scope).replace(accounts, version, watched=watched)

    def versions(self, namespace: str) -> dict[str, int]:
        return {account.name: account.resource_version for account in self.cache.of(namespace)}

    def _on_synced(self) -> None:
        self.listed_scopes += 1


@pytest.fixture
def harness() -> CacheHarness:
    return CacheHarness()


def test_listing_enqueues_each_namespace_with_a_change(harness: CacheHarness) -> None:
    """What has not changed is not enqueued, so a relist at rest costs nothing."""
    harness.list(account("a", "x", 1), account("a", "y", 2), account("b", "x", 3))
    assert harness.enqueued == ["a", "a", "b"]
    harness.list(account("a", "x", 1), account("a", "y", 7), account("b", "x", 3))
    assert harness.enqueued == ["a", "a", "b", "a"]
    assert harness.versions("a") == {"x": 1, "y": 7}
    assert harness.cache.get("b", "x") == account("b", "x", 3)
    assert [each.name for each in harness.cache.items()] == ["x", "y", "x"]


def test_what_is_not_listed_is_gone_unless_it_is_younger(harness: CacheHarness) -> None:
    """A listing shows the state at its version; an event or a write of our own may be younger."""
    harness.list(account("a", "x", 1), account("a", "y", 2), account("b", "x", 3))
    harness.handler.upsert(account("a", "new", 12))
    harness.enqueued.clear()
    harness.list(account("a", "y", 2), version=10)
    assert (harness.versions("a"), harness.versions("b")) == ({"y": 2, "new": 12}, {})
    assert sorted(harness.enqueued) == ["a", "b"]
    harness.list(account("a", "y", 2), version=12)
    assert harness.versions("a") == {"y": 2}


def test_listing_of_one_namespace_removes_nothing_from_another(harness: CacheHarness) -> None:
    """Each namespace with a reflector of its own syncs by itself, and each first listing is reported."""
    harness.list(account("a", "x", 1), scope="a")
    assert (harness.cache.has_synced("a"), harness.cache.has_synced("b")) == (True, False)
    harness.list(account("b", "x", 2), scope="b")
    assert harness.cache.has_synced("b")
    assert (harness.versions("a"), harness.versions("b")) == ({"x": 1}, {"x": 2})
    assert harness.listed_scopes == 2


def test_nothing_is_concluded_before_the_first_listing(harness: CacheHarness) -> None:
    """An object that is not here may still be listed; the first listing is reported once."""
    harness.handler.upsert(account("a", "x", 1))
    assert not harness.cache.has_synced("a")
    assert [event.is_set() for event in harness.cache.synced()] == [False]
    harness.list(account("a", "x", 1))
    harness.list(account("a", "x", 1))
    assert harness.cache.has_synced("a")
    assert harness.cache.has_synced("empty")
    assert [event.is_set() for event in harness.cache.synced()] == [True]
    assert harness.listed_scopes == 1


def test_events_of_a_watch_enqueue(harness: CacheHarness) -> None:
    """Added, changed and deleted objects, and any newer version: a write may have failed because of it."""
    for version in (1, 2, 3):
        harness.handler.upsert(account("a", "x", version))
    harness.handler.delete(account("a", "x", 4))
    assert harness.enqueued == ["a"] * 4
    assert harness.versions("a") == {}


@pytest.mark.parametrize("event", [ResourceCache.upsert, ResourceCache.delete])
@pytest.mark.parametrize("version", [3, 9, 10])
def test_late_and_repeated_events_change_nothing(
    harness: CacheHarness,
    event: Callable[[ResourceCache[ObservedServiceAccount], ObservedServiceAccount], None],
    version: int,
) -> None:
    """Only a newer version counts; versions are compared as numbers."""
    harness.handler.upsert(account("a", "x", 10, "theirs"))
    event(harness.cache, account("a", "x", version))
    assert harness.enqueued == ["a"]
    assert [seen.has_entries for seen in harness.cache.of("a")] == [True]


def test_deletion_of_something_unknown_enqueues_nothing(harness: CacheHarness) -> None:
    """Nothing is removed by it."""
    harness.handler.delete(account("a", "x", 11))
    assert harness.enqueued == []


def test_object_that_comes_back_is_new(harness: CacheHarness) -> None:
    """After a deletion even a lower version counts: it is another object."""
    harness.handler.upsert(account("a", "x", 9))
    harness.handler.delete(account("a", "x", 10))
    harness.handler.upsert(account("a", "x", 3))
    assert harness.versions("a") == {"x": 3}


def test_our_own_write_enqueues_nothing(harness: CacheHarness) -> None:
    """It is known before the watch brings it, and then it is nothing new; the same holds for a deletion."""
    harness.handler.upsert(account("a", "x", 10))
    harness.cache.record_write(account("a", "x", 11))
    harness.handler.upsert(account("a", "x", 11))
    assert harness.enqueued == ["a"]
    assert harness.versions("a") == {"x": 11}
    harness.cache.record_delete(account("a", "x", 11))
    harness.handler.delete(account("a", "x", 12))
    assert harness.enqueued == ["a"]
    assert harness.versions("a") == {}


def test_write_that_the_watch_has_overtaken_is_no_news(harness: CacheHarness) -> None:
    """If somebody has changed or deleted the object before our response came in, that counts."""
    harness.handler.upsert(account("a", "x", 12))
    harness.handler.on_bookmark(13)
    for written in (account("a", "x", 11), account("a", "gone", 11), account("b", "gone", 13)):
        harness.cache.record_write(written)
    harness.cache.record_delete(account("a", "x", 11))
    assert (harness.versions("a"), harness.versions("b")) == ({"x": 12}, {})
    harness.cache.record_write(account("a", "created", 14))
    assert harness.versions("a") == {"x": 12, "created": 14}


@pytest.mark.parametrize(("scope", "ready"), [("", False), ("a", True)])
def test_refused_namespace_does_not_hold_up_readiness(harness: CacheHarness, scope: str, ready: bool) -> None:  # noqa: FBT001 -- a table's column
    """One of several namespaces is gone on without; without any of them there is nothing to be ready with."""
    handler = harness.cache.handler(scope)
    harness.handler.upsert(account("a", "x", 1))
    handler.on_forbidden()
    assert harness.cache.synced()[-1].is_set() == ready
    assert not harness.cache.has_synced("a")
    assert harness.versions("a") == {"x": 1}


@pytest.mark.parametrize("told_by", ["listing", "bookmark"])
def test_older_listing_than_before_replaces_everything(harness: CacheHarness, told_by: str) -> None:
    """After etcd was restored, versions start again: all is enqueued, even what seems unchanged, and reported once."""
    harness.list(account("a", "x", 90), account("b", "x", 91), account("c", "x", 92), version=100)
    if told_by == "bookmark":
        harness.list(account("a", "x", 90), account("b", "x", 91), account("c", "x", 92), version=100)
        harness.handler.on_bookmark(120)
    harness.enqueued.clear()
    version = 99 if told_by == "listing" else 119
    harness.list(account("a", "x", 50), account("b", "x", 91), account("d", "x", 60), version=version)
    assert sorted(set(harness.enqueued)) == ["a", "b", "c", "d"]
    assert {each.namespace: each.resource_version for each in harness.cache.items()} == {"a": 50, "b": 91, "d": 60}
    harness.list(account("a", "x", 50), account("b", "x", 91), account("d", "x", 60), version=version)
    harness.handler.on_bookmark(version + 1)
    assert harness.reported.went_back == [("serviceaccounts", version)]
    assert harness.reported.differences == []


def test_listing_that_knows_an_older_object_is_one_of_a_restored_etcd(harness: CacheHarness) -> None:
    """The versions may have caught up meanwhile: a listing made after an object's version cannot show an older one."""
    harness.list(account("a", "x", 90), account("b", "x", 91), version=100)
    harness.enqueued.clear()
    harness.list(account("a", "x", 80), account("b", "x", 91), version=200)
    assert harness.reported.went_back == [("serviceaccounts", 200)]
    assert harness.versions("a") == {"x": 80}
    assert sorted(set(harness.enqueued)) == ["a", "b"]


def test_listing_may_lag_behind_an_event(harness: CacheHarness) -> None:
    """It was made before the event, and has only arrived later: neither a restored etcd nor a difference."""
    harness.list(account("a", "x", 90), version=100)
    harness.handler.upsert(account("a", "x", 110))
    harness.handler.upsert(account("b", "x", 111))
    for _ in range(2):
        harness.list(account("a", "x", 90), version=105)
    assert (harness.reported.went_back, harness.reported.differences) == ([], [])
    assert (harness.versions("a"), harness.versions("b")) == ({"x": 110}, {"x": 111})


def test_listing_asked_for_after_an_event_cannot_be_older(harness: CacheHarness) -> None:
    """Its own version tells, though no object of it has gone back and it is younger than the last listing."""
    harness.list(account("a", "x", 90), version=100)
    harness.handler.upsert(account("b", "x", 111))
    harness.handler.expect_listing()
    harness.list(account("a", "x", 90), account("b", "x", 111), version=111)
    assert harness.reported.went_back == []
    harness.handler.delete(account("b", "x", 120))
    harness.handler.expect_listing()
    harness.list(account("a", "x", 90), version=115)
    assert harness.reported.went_back == [("serviceaccounts", 115)]
    harness.handler.expect_listing()
    harness.list(account("a", "x", 90), version=116)
    assert harness.reported.went_back == [("serviceaccounts", 115)]


def test_listing_asked_for_after_a_write_of_ours_cannot_be_older(harness: CacheHarness) -> None:
    """The cluster was restored to a moment between the last listing and the write, of which the watch had not told."""
    harness.list(account("a", "x", 90), version=100)
    harness.cache.record_write(account("a", "x", 110))
    harness.list(account("a", "x", 90), version=105)
    assert harness.reported.went_back == []
    harness.handler.expect_listing()
    harness.list(account("a", "x", 90), version=105)
    assert harness.reported.went_back == [("serviceaccounts", 105)]
    assert harness.versions("a") == {"x": 90}


def test_what_another_noticed_counts_for_every_scope(harness: CacheHarness) -> None:
    """The next listing of each replaces everything, whatever its version, and reports nothing: that was done."""
    for scope in ("a", "b"):
        harness.list(account(scope, "x", 90), version=100, scope=scope)
    harness.cache.start_anew()
    harness.enqueued.clear()
    harness.list(account("a", "x", 50), version=60, scope="a")
    harness.list(account("b", "x", 50), account("b", "y", 50), version=300, scope="b")
    assert (harness.versions("a"), harness.versions("b")) == ({"x": 50}, {"x": 50, "y": 50})
    assert set(harness.enqueued) == {"a", "b"}
    harness.list(account("a", "x", 50), version=61, scope="a")
    assert (harness.reported.went_back, harness.reported.differences) == ([], [])


FOUND = [account("a", "x", 8), account("b", "x", 15), account("c", "x", 16)]
"""Found by a listing at 20, after one at 10 with a/x at 8, b/x at 9 and d/x at 9: one changed, one new, one gone."""


def test_differences_that_no_watch_tells_of_are_counted_at_the_next_listing(harness: CacheHarness) -> None:
    """A listing repairs what it finds at once; the count says that the watch has missed it."""
    harness.list(account("a", "x", 8), account("b", "x", 9), account("d", "x", 9), version=10)
    harness.list(*FOUND, version=20)
    assert harness.reported.differences == []
    harness.list(*FOUND, version=30)
    assert harness.reported.differences == [("serviceaccounts", 3)]
    harness.list(*FOUND, version=40)
    assert harness.reported.differences == [("serviceaccounts", 3)]


def test_what_the_watch_tells_of_later_is_no_difference(harness: CacheHarness) -> None:
    """A listing may be ahead of it; later versions and a deletion tell of it as well, earlier ones do not."""
    harness.list(account("a", "x", 8), account("b", "x", 9), account("d", "x", 9), version=10)
    harness.list(*FOUND, version=20)
    harness.handler.upsert(account("b", "x", 14))
    harness.handler.upsert(account("c", "x", 17))
    harness.handler.delete(account("d", "x", 19))
    harness.list(account("a", "x", 8), account("b", "x", 15), account("c", "x", 17), version=30)
    assert harness.reported.differences == [("serviceaccounts", 1)]


def test_no_difference_without_a_watch_that_should_have_told(harness: CacheHarness) -> None:
    """Not in the first listing, after a gap, or after the versions went back."""
    harness.list(account("a", "x", 8), version=10)
    harness.list(*FOUND, version=20, watched=False)
    harness.list(*FOUND, version=30)
    harness.list(account("a", "x", 5), version=6)
    harness.list(account("a", "x", 5), version=7)
    assert harness.reported.differences == []


def test_own_writes_are_no_differences(harness: CacheHarness) -> None:
    """They are known before any watch tells of them."""
    harness.list(version=10)
    harness.cache.record_write(account("a", "x", 15))
    for version in (20, 30):
        harness.list(account("a", "x", 15), version=version)
    harness.cache.record_delete(account("a", "x", 15))
    for version in (40, 50):
        harness.list(version=version)
    assert harness.reported.differences == []


def test_versions_of_another_reflector_do_not_matter(harness: CacheHarness) -> None:
    """Each namespace's reflector lists and watches at its own pace."""
    harness.list(account("a", "x", 90), version=100, scope="a")
    harness.list(account("b", "x", 7), version=50, scope="b")
    assert harness.reported.went_back == []
    harness.list(account("b", "x", 5), version=49, scope="b")
    assert (harness.versions("a"), harness.versions("b")) == ({"x": 90}, {"x": 5})
    assert harness.reported.went_back == [("serviceaccounts", 49)]


def test_secrets_are_one_for_each_namespace() -> None:
    """One reflector of all namespaces and one for each give the same."""
    secret = managed(published(EU))
    for scope in ("", "team-a"):
        enqueued: list[str] = []
        cache = secret_cache(enqueued.append)
        cache.handler(scope).replace([secret], 9, watched=True)
        assert cache.get("team-a") == secret
        assert cache.items() == (secret,)
        assert enqueued == ["team-a"]


class NamespaceHarness:
    """A cache of Namespaces, what it has enqueued, and what it has told its observer."""

    def __init__(self) -> None:
        self.enqueued: list[str] = []
        self.observed: list[ObservedNamespace] = []
        self.forgotten: list[ObservedNamespace] = []
        self.reported = Reported()
        self.cache = namespace_cache(self.enqueued.append, self, self.reported.reports())

    def observe(self, item: ObservedNamespace, /) -> None:
        self.observed.append(item)

    def forget(self, item: ObservedNamespace, /) -> None:
        self.forgotten.append(item)


@pytest.fixture
def namespaces() -> NamespaceHarness:
    return NamespaceHarness()


def namespace(
    version: int,
    annotations: dict[str, str] | None = None,
    *,
    name: str = "a",
    uid: str = "1",
    terminating: bool = False,
) -> ObservedNamespace:
    return ObservedNamespace(
        name=name, uid=uid, resource_version=version, annotations=annotations or {}, terminating=terminating
    )


@pytest.mark.parametrize(
    ("before", "after", "enqueued"),
    [
        (namespace(1), namespace(2), False),
        (namespace(1), namespace(2, ON), True),
        (namespace(1, ON), namespace(2, {"enabled": "false"}), True),
        (namespace(1, ON), namespace(2), True),
        (namespace(1, ON), namespace(2, ON), False),
        (namespace(1, ON), namespace(2, ON, terminating=True), True),
        (namespace(1, ON), namespace(2, ON, uid="2"), True),
    ],
)
def test_namespace_is_enqueued_only_for_a_relevant_change(
    namespaces: NamespaceHarness, before: ObservedNamespace, after: ObservedNamespace, *, enqueued: bool
) -> None:
    """Our annotations, its labels, its end, or another Namespace of the name; every version is kept."""
    namespaces.cache.upsert(before)
    namespaces.cache.upsert(after)
    assert namespaces.enqueued == ["a"] * (1 + enqueued)
    assert namespaces.cache.get("a") is after
    assert namespaces.observed == [before, after]


def test_observer_is_told_of_the_end_and_of_every_enqueueing(namespaces: NamespaceHarness) -> None:
    """A changed policy may apply to Namespaces that have not changed."""
    for each in (namespace(1, name="a"), namespace(2, name="b")):
        namespaces.cache.upsert(each)
    namespaces.cache.delete(namespace(3, name="a"))
    assert namespaces.forgotten == [namespace(1, name="a")]
    namespaces.observed.clear()
    namespaces.enqueued.clear()
    namespaces.cache.enqueue_all()
    assert (namespaces.enqueued, namespaces.observed) == (["b"], [namespace(2, name="b")])


def test_single_namespace_that_cannot_be_read_is_gone(namespaces: NamespaceHarness) -> None:
    """A Namespace that does not exist is refused as well; the others stay, and nothing waits for it."""
    for name in ("a", "b"):
        namespaces.cache.handler(name).replace([namespace(1, ON, name=name)], 1, watched=True)
    namespaces.cache.handler("a").on_forbidden()
    assert [each.name for each in namespaces.cache.items()] == ["b"]
    assert all(event.is_set() for event in namespaces.cache.synced())
    namespaces.cache.handler().on_forbidden()
    assert [each.name for each in namespaces.cache.items()] == ["b"]


def test_single_namespace_is_compared_by_its_own_version(namespaces: NamespaceHarness) -> None:
    """It is older than any bookmark of its watch, which is no sign of a restored etcd; going back itself is."""
    handler = namespaces.cache.handler("a")
    handler.replace([namespace(5, ON)], 5, watched=True)
    handler.on_bookmark(70)
    handler.replace([namespace(5, ON)], 5, watched=True)
    assert (namespaces.enqueued, namespaces.reported.went_back) == (["a"], [])
    handler.replace([namespace(4, ON)], 4, watched=True)
    assert (namespaces.enqueued, namespaces.reported.went_back) == (["a", "a"], [("namespaces", 4)])
    assert namespaces.cache.get("a") == namespace(4, ON)
    assert namespaces.forgotten == []


def test_all_that_there_is_to_list_may_be_denied(harness: CacheHarness) -> None:
    """One of several namespaces holds up nothing; a listing that succeeds ends it."""
    first, second = (harness.cache.handler(scope) for scope in ("", "b"))
    first.on_forbidden()
    assert not harness.cache.is_denied()
    second.on_forbidden()
    assert harness.cache.is_denied()
    first.replace([], 1, watched=False)
    assert not harness.cache.is_denied()
