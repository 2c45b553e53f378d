"""What crosses the boundary of the process in one run, in order, and what goes wrong at which point of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from testsupport.virtual_time import elapsed


class Fault(StrEnum):
    """What goes wrong at one point."""

    CRASH_BEFORE = "crash before it is sent"
    CRASH_AFTER = "crash after it was done, before the answer"
    CRASH_LATE = "crash, and it is done after the restart"
    LOST_BEFORE = "lost on its way"
    LOST_AFTER = "done, and the answer lost"
    LOST_LATE = "done after the client has given up"
    STALE_BY_ONE = "answered as before the last change of it"
    STALE_BY_ALL = "answered as at the very beginning"
    LAGGING = "a watch that tells everything a minute late"
    STOP_BEFORE = "SIGTERM before it is sent"
    STOP_AFTER = "SIGTERM after it was done, before the answer"
    STOP_LOST = "SIGTERM, and no answer comes"
    DROPPED = "the event is dropped"
    REPEATED = "the event is repeated, at once and a minute later"
    DELAYED = "the event comes after the next one"


CRASHES = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_LATE})
STOPS = frozenset({Fault.STOP_BEFORE, Fault.STOP_AFTER, Fault.STOP_LOST})
BEFORE = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_LATE, Fault.STOP_BEFORE, Fault.STOP_LOST})
"""What interrupts the process before the call is sent."""
AFTER = frozenset({Fault.CRASH_AFTER, Fault.STOP_AFTER})
"""What interrupts it once the call was carried out."""
NEVER_SENT = frozenset({Fault.CRASH_BEFORE, Fault.LOST_BEFORE})
UNANSWERED = frozenset({Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.LOST_LATE, Fault.STOP_LOST})
DONE_LATE = frozenset({Fault.CRASH_LATE, Fault.LOST_LATE})

_BOTH_SIDES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.STOP_BEFORE, Fault.STOP_AFTER, Fault.STOP_LOST)
_READ = (*_BOTH_SIDES, Fault.LOST_AFTER, Fault.STALE_BY_ONE, Fault.STALE_BY_ALL)
_FAULTS = {
    "aws": (*_BOTH_SIDES, Fault.LOST_BEFORE, Fault.LOST_AFTER),
    "get": _READ,
    "list": _READ,
    "watch": (Fault.CRASH_BEFORE, Fault.STOP_BEFORE, Fault.LOST_BEFORE, Fault.LAGGING),
    "event": (Fault.DROPPED, Fault.REPEATED, Fault.DELAYED),
}
_WRITE = (*_BOTH_SIDES, Fault.CRASH_LATE, Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.LOST_LATE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A call to the outside or an event from it."""

    at: float
    verb: str
    """A verb of the API, `aws` or `event`."""
    what: str
    """A path, an operation of AWS, or what the event is about."""

    @property
    def label(self) -> str:
        """Name its kind: the verb, and the resource or AWS's operation."""
        if self.verb == "aws":
            return f"aws {self.what.partition(' ')[0]}"
        if self.verb == "event":
            return f"event {self.what.partition(' ')[2].partition('/')[0]}"
        return f"{self.verb} {self._resource()}"

    def _resource(self) -> str:
        """Return the resource of a path: the last part of a collection's, else the one before the name."""
        parts = [part for part in self.what.split("/")[3:] if part != "v1"]
        return parts[-1] if len(parts) % 2 else parts[-2]

    def faults(self) -> tuple[Fault, ...]:
        """Return everything that can go wrong with it."""
        return _FAULTS.get(self.verb, _WRITE)


Plan = Mapping[int, Fault]
"""What goes wrong, by the number of the crossing; the first one of the window has the number 0."""


class Journal:
    """Numbers what crosses the boundary within a window of time, and tells what goes wrong there."""

    def __init__(self, plan: Plan, since: float, until: float) -> None:
        self._plan = plan
        self._since = since
        self._until = until
        self.crossings: list[Crossing] = []
        self.met: set[int] = set()
        """Numbers of the plan that were reached."""

    def cross(self, verb: str, what: str) -> Fault | None:
        """Take note of a crossing; return what goes wrong with it."""
        if not self._since <= elapsed() < self._until:
            return None
        number = len(self.crossings)
        self.crossings.append(Crossing(at=elapsed(), verb=verb, what=what))
        fault = self._plan.get(number)
        if fault is not None:
            self.met.add(number)
        return fault
