"""Prometheus' own tools, found or fetched once."""

import pytest

from testsupport.prometheus_tools import Tools, find


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Give promtool and prometheus."""
    return find()
