"""Token buckets of namespaces."""

from datetime import timedelta

import pytest

from pullkeeper.domain.reporting import rate_limiter
from pullkeeper.domain.reporting.rate_limiter import Rate, RateLimiter
from testsupport.examples import NOW

SECOND = timedelta(seconds=1)
RATE = Rate(burst=3, interval=10 * SECOND)


@pytest.fixture
def limiter() -> RateLimiter:
    return RateLimiter(RATE)


def test_the_burst_is_free_and_the_rest_at_intervals(limiter: RateLimiter) -> None:
    """Whoever comes later waits longer."""
    waits = [(limiter.reserve("a", NOW) - NOW) / SECOND for _ in range(6)]
    assert waits == [0, 0, 0, 10, 20, 30]


def test_each_key_has_a_bucket_of_its_own(limiter: RateLimiter) -> None:
    """An empty one is nobody else's."""
    for _ in range(9):
        limiter.reserve("a", NOW)
    assert limiter.reserve("b", NOW) == NOW


def test_a_bucket_fills_at_intervals_up_to_the_burst(limiter: RateLimiter) -> None:
    """However long it is left alone."""
    for _ in range(3):
        limiter.reserve("a", NOW)
    later = NOW + 20 * SECOND
    assert [(limiter.reserve("a", later) - later) / SECOND for _ in range(3)] == [0, 0, 10]
    much_later = NOW + timedelta(days=1)
    assert [(limiter.reserve("a", much_later) - much_later) / SECOND for _ in range(4)] == [0, 0, 0, 10]


def test_what_costs_less_takes_less(limiter: RateLimiter) -> None:
    """As a part of the interval."""
    waits = [(limiter.reserve("a", NOW, cost=0.5) - NOW) / SECOND for _ in range(8)]
    assert waits == [0, 0, 0, 0, 0, 0, 5, 10]


def test_nothing_waits_longer_than_five_minutes(limiter: RateLimiter) -> None:
    """Not even after the clock was set back."""
    assert limiter.reserve("a", NOW, cost=1000) - NOW == timedelta(minutes=5)
    assert limiter.reserve("a", NOW) - NOW == timedelta(minutes=5)
    before = NOW - timedelta(days=1)
    assert limiter.reserve("a", before) - before == timedelta(minutes=5)


def test_what_is_suppressed_is_counted_once(limiter: RateLimiter) -> None:
    """It is said with the next report."""
    assert [limiter.allow("a", NOW) for _ in range(5)] == [True, True, True, False, False]
    assert limiter.allow("b", NOW)
    assert limiter.take_suppressed("b") == ""
    assert limiter.allow("a", NOW + 10 * SECOND)
    assert limiter.take_suppressed("a") == " [2 more about this namespace suppressed]"
    assert limiter.take_suppressed("a") == ""
    assert not limiter.allow("a", NOW + 10 * SECOND)


def test_keys_are_forgotten_once_their_buckets_are_full() -> None:
    """Namespaces come and go; however many did, only those of the last minutes are remembered."""
    limiter = RateLimiter(RATE)
    for number in range(10_000):
        for _ in range(4):
            limiter.allow(f"{number}", NOW + number * SECOND)
    assert len(limiter._full_at) < 200  # noqa: SLF001 -- the bound on memory is the rule
    assert len(limiter._suppressed) < 200  # noqa: SLF001 -- as above


def test_the_budgets_leave_room_for_people() -> None:
    """Ten edits at once, and one each ten seconds from then on."""
    assert Rate(burst=10, interval=10 * SECOND) == rate_limiter.RECONCILES
    assert rate_limiter.LOG_LINES.burst >= rate_limiter.RECONCILES.burst
    assert rate_limiter.EVENTS.burst >= rate_limiter.RECONCILES.burst
