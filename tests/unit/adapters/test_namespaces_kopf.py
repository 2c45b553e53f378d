"""The watch of Namespaces that kopf runs: it is started anew whenever kopf ends, and says each cause once."""

import asyncio
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from pullkeeper.adapters.kubernetes import namespaces_kopf


async def test_cause_that_ends_kopf_again_and_again_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where kopf counts as started before the API server lets it in, as with a token that is refused."""
    stop = asyncio.Event()
    starts: list[int] = []

    async def refused(_handlers: Any, on_start: Callable[[], None], ended: "asyncio.Future[None]") -> None:
        ended.cancel()
        on_start()
        if len(starts) == 3:
            stop.set()
        raise kopf.LoginError("no credentials are left")

    monkeypatch.setattr(namespaces_kopf, "_operate_once", refused)
    monkeypatch.setattr(namespaces_kopf, "_EndlessBackoff", lambda: [0.0, 0.0, 0.0])
    await namespaces_kopf.operate(
        kopf.OperatorRegistry, on_start=lambda: starts.append(1), stop=stop, restart=asyncio.Event()
    )
    said = [record.getMessage() for record in caplog.records]
    assert said == ["watch of Namespaces ended: LoginError; listing anew"]
