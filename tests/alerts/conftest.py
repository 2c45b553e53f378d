"""Fixture for Prometheus' binaries."""

import pytest

from testsupport.prometheus_tools import Tools, find


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Provide promtool and prometheus, fetched if necessary."""
    return find()
