"""The relister of Namespaces."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.namespace_relister import NamespaceRelister
from testsupport.fixed_random import FixedRandom


class Listings:
    """Listings that fail where a test says so, and what was taken over of them."""

    def __init__(self, *outcomes: bool, reason: Reason = Reason.KUBERNETES_UNAVAILABLE) -> None:
        self.outcomes = outcomes
        self.reason = reason
        self.denials = 0
        self.listed_at: list[float] = []
        self.taken_over: list[int] = []
        self.watched: list[bool] = []
        self.expected = 0
        self.seconds = 0.0

    async def list_namespaces(self) -> tuple[list[ObservedNamespace], int]:
        self.listed_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.seconds)
        version = len(self.listed_at)
        assert self.expected == version
        if not self.outcomes[version - 1]:
            raise FailureError(Failure(reason=self.reason, message="away"))
        return [ObservedNamespace(name="a", resource_version=version)], version

    def expect_listing(self) -> None:
        self.expected += 1

    def replace(self, found: Iterable[ObservedNamespace], version: int, *, watched: bool) -> None:
        self.watched.append(watched)
        assert [each.resource_version for each in found] == [version]
        self.taken_over.append(version)

    def on_forbidden(self) -> None:
        self.denials += 1


def _relister(
    listings: Listings, interval: timedelta = timedelta(minutes=10), *, watched_from: float = 0
) -> NamespaceRelister:
    return NamespaceRelister(
        listings.list_namespaces,
        listings,
        is_watched=lambda: asyncio.get_running_loop().time() >= watched_from,
        interval=interval,
        rng=FixedRandom(),
    )


async def test_it_lists_at_once_when_told_to() -> None:
    """And at its interval from then on; during a listing it makes another one."""
    listings = Listings(*[True] * 4)
    relister = _relister(listings)
    run = asyncio.create_task(relister.run())
    await asyncio.sleep(100)
    relister.relist()
    await asyncio.sleep(650)
    run.cancel()
    assert listings.listed_at == [0, 100, 700]
    assert listings.watched == [True, False, True]


async def test_until_the_watch_is_open_it_lists_every_second() -> None:
    """What those find is no difference that a watch should have told of."""
    listings = Listings(*[True] * 5)
    run = asyncio.create_task(_relister(listings, watched_from=2.5).run())
    await asyncio.sleep(610)
    run.cancel()
    assert listings.listed_at == [0, 1, 2, 603]
    assert listings.watched == [False, False, False, True]


@pytest.mark.parametrize(("seconds", "pause"), [(0.1, 1), (5, 10)])
async def test_a_watch_that_never_opens_is_waited_for_with_few_listings(seconds: float, pause: float) -> None:
    """They take a third of the time at most, and end."""
    listings = Listings(*[True] * 10)
    listings.seconds = seconds
    run = asyncio.create_task(_relister(listings, watched_from=10_000).run())
    await asyncio.sleep(8 * (seconds + pause) + 600)
    run.cancel()
    assert listings.listed_at == pytest.approx([number * (seconds + pause) for number in range(9)])


async def test_gap_outlasts_listings_that_fail() -> None:
    """What the first listing after a gap finds is no difference that a watch should have told of."""
    listings = Listings(True, False, True)  # noqa: FBT003 -- outcomes
    relister = _relister(listings)
    run = asyncio.create_task(relister.run())
    await asyncio.sleep(100)
    relister.relist()
    await asyncio.sleep(100)
    run.cancel()
    assert listings.watched == [True, False]


async def test_watch_that_breaks_again_and_again_makes_few_listings() -> None:
    """One at once, and then one every few seconds."""
    listings = Listings(*[True] * 20)
    relister = _relister(listings)
    run = asyncio.create_task(relister.run())
    for _ in range(190):
        await asyncio.sleep(0.1)
        relister.relist()
    run.cancel()
    assert len(listings.listed_at) == 4


async def test_it_lists_at_intervals_and_backs_off(caplog: pytest.LogCaptureFixture) -> None:
    """After a failure soon, later each time, and after a success at the usual pace again."""
    listings = Listings(True, False, False, False, True, True)  # noqa: FBT003 -- outcomes
    interval = timedelta(minutes=10)
    relister = _relister(listings, interval)
    run = asyncio.create_task(relister.run())
    await asyncio.sleep(607 + 600 + 1)
    run.cancel()
    assert listings.listed_at == [0, 600, 601, 603, 607, 1207]
    assert listings.taken_over == [1, 5, 6]
    assert caplog.messages == ["listing Namespaces failed: away (KubernetesUnavailable); it is tried again"]


@pytest.mark.parametrize(("reason", "denials"), [(Reason.KUBERNETES_DENIED, 2), (Reason.KUBERNETES_UNAVAILABLE, 0)])
async def test_a_missing_right_is_told(reason: Reason, denials: int) -> None:
    """And not an API server that is away."""
    listings = Listings(False, False, True, reason=reason)  # noqa: FBT003 -- outcomes
    relister = _relister(listings)
    run = asyncio.create_task(relister.run())
    await asyncio.sleep(100)
    run.cancel()
    assert (listings.denials, listings.taken_over) == (denials, [3])
