"""What /healthz and /readyz answer: each probe returns what is wrong, or None."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from pullkeeper.reconcile.worker import HEARTBEAT, Metrics

_STUCK_AFTER = 12 * HEARTBEAT


class Liveness:
    """Passes the worker's metrics on, and judges by its heartbeat whether the process is stuck."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], datetime]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._last_heartbeat: datetime | None = None

    def set_heartbeat(self, now: datetime) -> None:
        """Record that the worker, or on standby the leader elector, has gone round its loop."""
        self._last_heartbeat = now
        self._metrics.set_heartbeat(now)

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count one reconciliation of a namespace."""
        self._metrics.observe_reconcile(result, seconds)

    def problem(self) -> str | None:
        """Return why Kubernetes should restart the container; before the first heartbeat nothing is wrong yet."""
        age = self._clock() - self._last_heartbeat if self._last_heartbeat else timedelta()
        return f"no heartbeat from the worker for {age.total_seconds():.0f} s" if age > _STUCK_AFTER else None


class Readiness:
    """Holds back readiness until every cache has been listed once, and while a right is missing."""

    def __init__(
        self, synced: Mapping[str, Sequence[asyncio.Event]], denied: Mapping[str, Callable[[], bool]] | None = None
    ) -> None:
        """Not ready while a function of `denied` returns that what its key names is denied."""
        self._synced = synced
        self._denied = denied or {}

    def is_denied(self) -> bool:
        """Whether the API server denies something that the controller needs."""
        return any(is_denied() for is_denied in self._denied.values())

    def problem(self) -> str | None:
        """Return which kinds of object are still being listed, or what the API server denies."""
        denied = [what for what, is_denied in self._denied.items() if is_denied()]
        if denied:
            return f"the API server denies {' and '.join(denied)}: `pullkeeper check` says which rights are missing"
        waiting = [kind for kind, events in self._synced.items() if not all(event.is_set() for event in events)]
        return f"still listing {' and '.join(waiting)}" if waiting else None
