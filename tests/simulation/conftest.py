"""Fixtures of every run."""

from collections.abc import Iterator

import pytest

from testsupport.simulation import timers


@pytest.fixture(autouse=True, scope="session")
def slow_timers() -> Iterator[None]:
    """Run all simulations with slow timers."""
    with timers.slow_timers():
        yield
