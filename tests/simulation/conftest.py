"""Fixtures of every run."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pullkeeper.reconcile import service_account_poller, worker


@pytest.fixture(autouse=True, scope="session")
def slow_heartbeat() -> Iterator[None]:
    """Set the worker's heartbeat and the poller's interval to one hour.

    The one only tells a stuck process from an idle one, and the other finds a new role; every five seconds they would
    be most of the work of a simulated year. The heartbeat would also hide a lost wake-up, because the worker checks
    the queue at each one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "HEARTBEAT", timedelta(hours=1))
        patch.setattr(service_account_poller, "INTERVAL", timedelta(hours=1))
        yield
