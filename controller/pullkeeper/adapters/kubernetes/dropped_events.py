"""Events that could not be posted: each is counted, and a line from time to time says how many there were."""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from pullkeeper.domain.reporting.metric_families import DroppedEvent

logger = logging.getLogger(__name__)

_EVERY = timedelta(minutes=1)
"""A line at most so often."""
_WHY = {
    DroppedEvent.QUEUE_FULL: "too many were waiting",
    DroppedEvent.REFUSED: "the API server did not take them",
    DroppedEvent.STOPPED: "the process ended",
}


class DroppedEvents:
    """Counts them by their reason."""

    def __init__(self, record: Callable[[str], None], *, clock: Callable[[], datetime]) -> None:
        self._record = record
        self._clock = clock
        self._untold: Counter[DroppedEvent] = Counter()
        self._due: datetime | None = None

    def add(self, reason: DroppedEvent, last_error: str = "") -> None:
        """Count one; the error of a single one is only for who debugs."""
        logger.debug("dropped an Event: %s %s", _WHY[reason], last_error)
        self._record(reason)
        self._untold[reason] += 1

    def pause(self) -> float | None:
        """Return the seconds until there is something to say; None if there is nothing."""
        if not self._untold:
            return None
        return max((self._due - self._clock()).total_seconds(), 0.0) if self._due else 0.0

    def tell(self) -> None:
        """Say how many were dropped since the last line, if any, and why."""
        if not self._untold:
            return
        self._due = self._clock() + _EVERY
        counts = "; ".join(f"{count:,} because {_WHY[reason]}" for reason, count in sorted(self._untold.items()))
        logger.warning("%d Events were not posted: %s", self._untold.total(), counts)
        self._untold.clear()
