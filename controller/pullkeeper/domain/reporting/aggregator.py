"""Aggregates events of one kind, so that many within a short time become one summary."""

from dataclasses import dataclass
from datetime import datetime, timedelta

IDLE_TIMEOUT = timedelta(minutes=5)
"""A group ends when nothing has been added for this long."""
MAX_AGE = timedelta(hours=1)
"""A group ends at this age even if events keep coming."""
MAX_GROUPS = 500
"""Beyond this number the oldest group makes room of which nothing is left to be reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A group of events that has ended."""

    key: str
    count: int
    suppressed: int
    """How many of them were beyond the limit, and so are reported by this summary alone."""
    lasted: timedelta
    """Time from the first event to the last."""
    slowest: timedelta
    slowest_name: str


@dataclass(kw_only=True, slots=True)
class _Group:
    first_at: datetime
    last_at: datetime
    count: int = 0
    suppressed: int = 0
    slowest: timedelta = timedelta()
    slowest_name: str = ""

    @property
    def ends_at(self) -> datetime:
        return min(self.last_at + IDLE_TIMEOUT, self.first_at + MAX_AGE)


class EventAggregator:
    """Groups events by a key, such as their message."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def add(self, key: str, name: str, now: datetime, *, limit: int = 0, took: timedelta = timedelta()) -> bool:
        """Add an event about `name`; returns whether it is within the first `limit`, to be reported individually.

        Where there are too many groups, a new one is not remembered, and all its events are within the limit.
        """
        if key not in self._groups and not self._make_room():
            return limit > 0
        group = self._groups.setdefault(key, _Group(first_at=now, last_at=now))
        group.count += 1
        group.last_at = now
        if took >= group.slowest:
            group.slowest, group.slowest_name = took, name
        within_limit = group.count <= limit
        group.suppressed += not within_limit
        return within_limit

    def _make_room(self) -> bool:
        if len(self._groups) < MAX_GROUPS:
            return True
        complete = next((key for key, group in self._groups.items() if not group.suppressed), None)
        if complete is not None:
            del self._groups[complete]
        return complete is not None

    @property
    def flush_at(self) -> datetime | None:
        """When the next group ends if nothing is added; None without groups."""
        return min((group.ends_at for group in self._groups.values()), default=None)

    def flush(self, now: datetime | None = None) -> list[Summary]:
        """Remove and return the groups that have ended by `now`, or all groups."""
        ended = [key for key, group in self._groups.items() if now is None or group.ends_at <= now]
        return [_summary(key, self._groups.pop(key)) for key in ended]


def _summary(key: str, group: _Group) -> Summary:
    return Summary(
        key=key,
        count=group.count,
        suppressed=group.suppressed,
        lasted=group.last_at - group.first_at,
        slowest=group.slowest,
        slowest_name=group.slowest_name,
    )
