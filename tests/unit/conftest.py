"""Time in this tier is virtual, except in tests that use a real socket or a thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from testsupport.virtual_time import VirtualLoop

_REAL_TIME = (
    "test_aws",
    "test_http",
    "test_kube_client",
    "test_kube_config",
    "test_kube_connection",
    "test_name_resolver",
)


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 -- the hook's own argument
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop by the test's module."""
    real = item.path.name.startswith(_REAL_TIME)
    return {"real-time": asyncio.new_event_loop} if real else {"virtual-time": VirtualLoop}


@pytest.fixture
async def closed_connections() -> AsyncIterator[None]:
    """Let the loop run on until connections are closed: TLS ends with a farewell of both sides, in the background.

    A loop that ends before leaves an open transport behind, which is reported as a fault of some later test.
    """
    yield
    for _ in range(10):
        await asyncio.sleep(0.01)
