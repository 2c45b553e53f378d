"""Timers of the controller that only cost time in a simulated year."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

from pullkeeper.reconcile import service_account_poller, worker


@contextmanager
def slow_timers(interval: timedelta = timedelta(hours=1), polling: timedelta | None = None) -> Iterator[None]:
    """Set the worker's heartbeat and the poller's interval, which is the same unless it is given.

    The one only tells a stuck process from an idle one, and the other finds a new role; every five seconds they would
    be most of the work of a simulated year. The heartbeat would also hide a lost wake-up, because the worker checks
    the queue at each one.
    """
    with (
        mock.patch.object(worker, "HEARTBEAT", interval),
        mock.patch.object(service_account_poller, "INTERVAL", polling or interval),
    ):
        yield
