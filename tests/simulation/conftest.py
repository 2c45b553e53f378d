"""Fixtures of every run."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pullkeeper.reconcile import worker


@pytest.fixture(autouse=True, scope="session")
def slow_heartbeat() -> Iterator[None]:
    """Set the worker's heartbeat to one hour.

    It only tells a stuck process from an idle one; every five seconds it would be most of the work of a simulated year.
    It would also hide a lost wake-up, because the worker checks the queue at each heartbeat.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "HEARTBEAT", timedelta(hours=1))
        yield
