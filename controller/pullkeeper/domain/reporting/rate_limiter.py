"""What one namespace may cost by its own changes: a token bucket for each namespace.

The budgets are by the namespace's name, not its uid: who deletes and creates a Namespace again gets no new one.
Rotations and retries are not part of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MAX_DELAY = timedelta(minutes=5)
"""No bucket is emptier than this takes to fill; so a clock that is set back delays nothing for longer."""
_SWEEP_SLACK = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A budget: `burst` at once, and one more after each `interval`."""

    burst: int
    interval: timedelta


RECONCILES = Rate(burst=10, interval=timedelta(seconds=10))
"""Reconciliations because an object of the namespace has changed; what changes in between is reconciled together."""
AWS_CALL_COST = 0.2
"""What each token that is fetched in such a reconciliation costs of the same budget."""
LOG_LINES = Rate(burst=30, interval=timedelta(minutes=1))
"""Log lines about the namespace."""
EVENTS = Rate(burst=30, interval=timedelta(minutes=1))
"""Events in the namespace that continue no series."""


class RateLimiter:
    """A bucket for each key; keys whose bucket is full again are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at: dict[str, datetime] = {}
        self._suppressed: dict[str, int] = {}
        self._swept = 0
        """Keys left by the last sweep; the next one comes once there are twice as many."""

    def reserve(self, key: str, now: datetime, cost: float = 1.0) -> datetime:
        """Take from the bucket, more than is in it if need be; return when what was taken is there."""
        full_at = max(self._full(key), now) + cost * self._rate.interval
        self._sweep(now)
        self._full_at[key] = min(full_at, now + _MAX_DELAY + self._capacity)
        return max(self._full_at[key] - self._capacity, now)

    def allow(self, key: str, now: datetime) -> bool:
        """Take one from the bucket if there is one; else count what is suppressed."""
        if max(self._full(key), now) + self._rate.interval - self._capacity <= now:
            self.reserve(key, now)
            return True
        self._suppressed[key] = self._suppressed.get(key, 0) + 1
        return False

    def take_suppressed(self, key: str) -> str:
        """Return what to append to the next report, if some were suppressed since the last one."""
        count = self._suppressed.pop(key, 0)
        return f" [{count:,} more about this namespace suppressed]" if count else ""

    @property
    def _capacity(self) -> timedelta:
        return self._rate.burst * self._rate.interval

    def _full(self, key: str) -> datetime:
        return self._full_at.get(key, datetime.min.replace(tzinfo=UTC))

    def _sweep(self, now: datetime) -> None:
        if len(self._full_at) < 2 * self._swept + _SWEEP_SLACK:
            return
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._suppressed = {key: count for key, count in self._suppressed.items() if key in self._full_at}
        self._swept = len(self._full_at)
