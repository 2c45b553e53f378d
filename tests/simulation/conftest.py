"""Fixtures of every run."""

from collections.abc import Iterator

import pytest

from testsupport.simulation import timers


@pytest.fixture(autouse=True)
def slow_timers() -> Iterator[None]:
    """Run each simulation with slow timers; tests of the timers themselves may follow in the same process."""
    with timers.slow_timers():
        yield
