"""Fixtures of the adapters' tests."""

import asyncio
from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def closed_connections() -> AsyncIterator[None]:
    """Let the loop run on until connections are closed: TLS ends with a farewell of both sides, in the background.

    A loop that ends before leaves an open transport behind, which is reported as a fault of some later test.
    """
    yield
    for _ in range(10):
        await asyncio.sleep(0.01)
