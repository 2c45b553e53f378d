"""Prometheus' own tools, found or fetched once."""

import pytest

from tests.alerts.tools import Tools, find


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Give promtool and prometheus."""
    return find()
