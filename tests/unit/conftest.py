"""Time in this tier is virtual, except in tests that use a real socket or a thread."""

import asyncio
from collections.abc import Callable, Mapping

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
