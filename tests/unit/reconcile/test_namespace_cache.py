"""The Namespaces as they were last seen."""

import asyncio
import random
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.namespace_cache import NamespaceCache
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import START, now

ON = {"enabled": "true"}


def view(
    version: int, annotations: dict[str, str] | None = None, *, name: str = "a", terminating: bool = False
) -> ObservedNamespace:
    return ObservedNamespace(
        name=name, resource_version=version, annotations=annotations or {}, terminating=terminating
    )


class Desk:
    """An inventory, and who was woken by it."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.inventory = NamespaceCache(wake=self.woken.append, clock=now)

    def saw(self, *views: ObservedNamespace) -> list[str]:
        self.woken.clear()
        for each in views:
            self.inventory.upsert(each)
        return list(self.woken)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("before", "after", "wakes"),
    [
        (view(1), view(2), False),
        (view(1), view(2, ON), True),
        (view(1, ON), view(2, {"enabled": "false"}), True),
        (view(1, ON), view(2), True),
        (view(1, ON), view(2, ON), False),
        (view(1, ON), view(2, ON, terminating=True), True),
    ],
)
async def test_who_changes_what_concerns_us_is_woken(
    desk: Desk, before: ObservedNamespace, after: ObservedNamespace, *, wakes: bool
) -> None:
    """Our annotations and the end of a Namespace concern us; anything else on it is remembered in silence."""
    assert desk.saw(before) == ["a"]
    assert desk.saw(after) == (["a"] if wakes else [])
    assert desk.inventory.get("a") is after


@pytest.mark.parametrize("version", [5, 4, 1])
async def test_what_is_older_than_known_changes_nothing(desk: Desk, version: int) -> None:
    """Late and repeated events do no harm."""
    desk.saw(view(5, ON))
    assert desk.saw(view(version)) == []
    assert desk.inventory.get("a") == view(5, ON)


async def test_versions_are_compared_as_numbers(desk: Desk) -> None:
    """10 is younger than 9."""
    desk.saw(view(9))
    assert desk.saw(view(10, ON)) == ["a"]


async def test_who_is_lost_is_forgotten_and_woken_once(desk: Desk) -> None:
    """A Namespace that is gone is looked at a last time; one that was never there is not."""
    desk.saw(view(1, ON))
    desk.woken.clear()
    desk.inventory.delete("a")
    desk.inventory.delete("a")
    desk.inventory.delete("stranger")
    assert desk.woken == ["a"]
    assert desk.inventory.get("a") is None
    assert desk.inventory.asking_since("a") is None


async def test_a_name_that_comes_back_is_new(desk: Desk) -> None:
    """After a deletion even a lower version counts: it is another object."""
    desk.saw(view(9, ON))
    desk.inventory.delete("a")
    assert desk.saw(view(3, ON)) == ["a"]


async def test_asking_begins_when_it_is_first_seen(desk: Desk) -> None:
    """The time stays through other changes, ends with the annotations, and begins anew with new ones."""
    desk.saw(view(1))
    assert desk.inventory.asking_since("a") is None
    await asyncio.sleep(10)
    desk.saw(view(2, ON))
    await asyncio.sleep(10)
    desk.saw(view(3, {**ON, "refresh-requested-at": "1"}))
    assert desk.inventory.asking_since("a") == START + timedelta(seconds=10)
    desk.saw(view(4))
    assert desk.inventory.asking_since("a") is None
    desk.saw(view(5, ON))
    assert desk.inventory.asking_since("a") == START + timedelta(seconds=20)


async def test_a_listing_finds_what_a_watch_missed(desk: Desk) -> None:
    """New, changed and deleted Namespaces are found; what has not changed wakes nobody."""
    desk.saw(view(1, name="same"), view(2, name="changed"), view(3, name="deleted"))
    desk.woken.clear()
    desk.inventory.replace([view(1, name="same"), view(7, ON, name="changed"), view(8, name="new")], 9)
    assert sorted(desk.woken) == ["changed", "deleted", "new"]
    assert desk.inventory.get("deleted") is None


async def test_a_listing_does_not_take_away_what_is_younger(desk: Desk) -> None:
    """A Namespace that the watch brought while the listing was under way stays."""
    desk.saw(view(20, ON))
    desk.inventory.replace([], 10)
    assert desk.inventory.get("a") is not None
    desk.inventory.replace([], 20)
    assert desk.inventory.get("a") is None


async def test_it_is_synced_after_the_first_listing(desk: Desk) -> None:
    """Until then nobody may conclude from an absence; one event is no listing."""
    desk.saw(view(1))
    assert not desk.inventory.synced.is_set()
    desk.inventory.replace([], 1)
    assert desk.inventory.synced.is_set()


async def test_the_audit_lists_again_and_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Once in each interval; after a failure soon, later each time, and after a success at the usual pace again."""
    times: list[float] = []
    outcomes = [True, False, False, False, True, True]

    async def listing() -> tuple[list[ObservedNamespace], int]:
        times.append(asyncio.get_running_loop().time())
        if not outcomes[len(times) - 1]:
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="away"))
        return [view(len(times), ON)], len(times)

    chance: random.Random = FixedRandom()
    audit = asyncio.create_task(desk.inventory.audit(listing, every=timedelta(minutes=10), chance=chance))
    await asyncio.sleep(607 + 600 + 1)
    audit.cancel()
    assert times == [0, 600, 601, 603, 607, 1207]
    assert caplog.messages[0] == "listing Namespaces: away (KubernetesUnavailable); next try in 1.0 s"
    assert desk.inventory.get("a") == view(6, ON)
