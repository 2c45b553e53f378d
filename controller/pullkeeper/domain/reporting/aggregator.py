"""Many things of one kind within a short time, told in one line instead of a thousand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET = timedelta(minutes=5)
"""A group has ended when nothing has come for so long."""
LONGEST = timedelta(hours=1)
"""A group is told after this time, although more may come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What there is to say of a group."""

    key: str
    count: int
    untold: int
    """So many of them have not been told one by one."""
    lasted: timedelta
    slowest: timedelta
    slowest_name: str


@dataclass(kw_only=True, slots=True)
class _Group:
    first_at: datetime
    last_at: datetime
    count: int = 0
    untold: int = 0
    slowest: timedelta = timedelta()
    slowest_name: str = ""

    @property
    def ends_at(self) -> datetime:
        return min(self.last_at + QUIET, self.first_at + LONGEST)


class EventAggregator:
    """Groups what happens by what is said of it."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def add(self, key: str, name: str, now: datetime, *, in_full: int = 0, took: timedelta = timedelta()) -> bool:
        """Take one thing that happened to `name`; tells whether it is one of the first, to be told by themselves."""
        group = self._groups.setdefault(key, _Group(first_at=now, last_at=now))
        group.count += 1
        group.last_at = now
        if took >= group.slowest:
            group.slowest, group.slowest_name = took, name
        told = group.count <= in_full
        group.untold += not told
        return told

    @property
    def due(self) -> datetime | None:
        """Tell when the next group ends, if nothing more comes."""
        return min((group.ends_at for group in self._groups.values()), default=None)

    def take(self, now: datetime | None = None) -> list[Summary]:
        """Take out the groups that have ended by now, or all of them."""
        ended = [key for key, group in self._groups.items() if now is None or group.ends_at <= now]
        return [_summary(key, self._groups.pop(key)) for key in ended]


def _summary(key: str, group: _Group) -> Summary:
    return Summary(
        key=key,
        count=group.count,
        untold=group.untold,
        lasted=group.last_at - group.first_at,
        slowest=group.slowest,
        slowest_name=group.slowest_name,
    )
