"""What is known of a Namespace is made sure of where something newer depends on it."""

from dataclasses import replace

import pytest

from pullkeeper.domain.errors.failures import NamespaceGoneError, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.cached_kinds import namespace_cache
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.namespace_view import NamespaceView
from testsupport.examples import NOW

OPTED_OUT = ObservedNamespace(name="a", uid="uid", resource_version=3)
OPTED_IN = replace(OPTED_OUT, resource_version=4, annotations={"enabled": "true"})


class Cluster:
    """A Namespace as it is, and as it is known."""

    def __init__(self, current: ObservedNamespace | None = OPTED_OUT, *, scope: str = "") -> None:
        self.current = current
        self.reads: list[tuple[str, int]] = []
        self.enqueued: list[str] = []
        records = NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW)
        self.cache = namespace_cache(self.enqueued.append, records)
        self.cache.handler(scope).replace([OPTED_OUT], 5, watched=False)
        self.enqueued.clear()
        self.view = NamespaceView(self.cache, self.read)

    async def read(self, name: str, version: int) -> ObservedNamespace | None:
        self.reads.append((name, version))
        return self.current

    async def change_while_read(self, name: str, version: int) -> ObservedNamespace | None:
        """Answer as before a change that the watch brings first."""
        self.cache.upsert(OPTED_IN)
        return await self.read(name, version)


@pytest.mark.parametrize("scope", ["", "a"])
async def test_what_is_as_new_as_what_depends_on_it_is_not_read(scope: str) -> None:
    """By the listing; or by the version of a single Namespace that is watched by its name."""
    cluster = Cluster(scope=scope)
    assert cluster.view.get("a") == OPTED_OUT
    await cluster.view.confirm("a", 5)
    assert cluster.reads == []


@pytest.mark.parametrize("scope", ["", "a"])
async def test_what_may_be_older_is_read(scope: str) -> None:
    """It is confirmed if it has not changed."""
    cluster = Cluster(scope=scope)
    await cluster.view.confirm("a", 6)
    assert (cluster.reads, cluster.enqueued) == ([("a", 6)], [])


@pytest.mark.parametrize("scope", ["", "a"])
async def test_change_that_the_watch_has_yet_to_bring_is_taken_over(scope: str) -> None:
    """What was decided without it is not done."""
    cluster = Cluster(OPTED_IN, scope=scope)
    with pytest.raises(StaleObservationError):
        await cluster.view.confirm("a", 6)
    assert (cluster.view.get("a"), cluster.enqueued) == (OPTED_IN, ["a"])


async def test_change_that_comes_during_the_read_counts() -> None:
    """The answer may be older than it."""
    cluster = Cluster()
    with pytest.raises(StaleObservationError):
        await NamespaceView(cluster.cache, cluster.change_while_read).confirm("a", 6)
    assert cluster.reads == [("a", 6)]


async def test_history_that_went_back_confirms_nothing() -> None:
    """A restored Namespace has an older version: it is not what is known."""
    cluster = Cluster(replace(OPTED_IN, resource_version=2))
    with pytest.raises(StaleObservationError):
        await cluster.view.confirm("a", 6)


async def test_namespace_that_is_gone_is_no_reason_to_delete_its_secret() -> None:
    """Whoever deletes the Namespace does."""
    with pytest.raises(NamespaceGoneError):
        await Cluster(None).view.confirm("a", 6)


async def test_namespace_that_is_not_known_any_more_confirms_nothing() -> None:
    """It is observed anew first."""
    cluster = Cluster()
    cluster.cache.delete(replace(OPTED_OUT, resource_version=6))
    with pytest.raises(StaleObservationError):
        await cluster.view.confirm("a", 7)
