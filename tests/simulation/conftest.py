"""What every run needs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pullkeeper.reconcile import worker


@pytest.fixture(autouse=True, scope="session")
def slow_heart() -> Iterator[None]:
    """Let the worker's heart beat once an hour.

    It only tells a stuck process from an idle one, and at one beat in five seconds it would be most of the work of a
    simulated year. It also hides a wake-up that gets lost: with an hour between two beats, a test notices.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "HEARTBEAT", timedelta(hours=1))
        yield
