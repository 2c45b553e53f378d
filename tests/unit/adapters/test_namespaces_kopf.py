"""The watch of Namespaces that kopf runs: it is started anew whenever kopf ends, and says each cause once."""

import asyncio
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from pullkeeper.adapters.kubernetes import namespaces_kopf
from pullkeeper.domain.errors.said_causes import WORKED_SECONDS

LINE = "watch of Namespaces ended: LoginError; listing anew"


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("seconds", [0.0, 1.0, 60.0])
async def test_cause_that_ends_kopf_again_and_again_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: float, *, opened: bool
) -> None:
    """However long it takes to be refused: only a watch that was opened and lasted ends the disturbance."""
    stop, disturbance = asyncio.Event(), namespaces_kopf.Disturbance()
    starts: list[int] = []

    async def refused(_handlers: Any, on_start: Callable[[], None], ended: "asyncio.Future[None]") -> None:
        ended.cancel()
        on_start()  # kopf counts as started before the API server lets it in
        if opened:
            disturbance.work()
        await asyncio.sleep(seconds)
        if len(starts) == 3:
            stop.set()
        raise kopf.LoginError("no credentials are left")

    monkeypatch.setattr(namespaces_kopf, "_operate_once", refused)
    monkeypatch.setattr(namespaces_kopf, "_EndlessBackoff", lambda: [0.0, 0.0, 0.0])
    await namespaces_kopf.operate(
        kopf.OperatorRegistry,
        on_start=lambda: starts.append(1),
        disturbance=disturbance,
        stop=stop,
        restart=asyncio.Event(),
    )
    said = [record.getMessage() for record in caplog.records]
    # The last one is not said: it ends because it was told to.
    assert said == [LINE] * (2 if opened and seconds > WORKED_SECONDS else 1)


async def test_kopf_has_nowhere_to_store_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it would like to remember of a Namespace, no write of it comes of that."""
    given: list[kopf.OperatorSettings] = []

    async def operator(*, settings: kopf.OperatorSettings, **_: Any) -> None:
        given.append(settings)

    monkeypatch.setattr(kopf, "operator", operator)
    await namespaces_kopf.operate(
        kopf.OperatorRegistry,
        on_start=lambda: None,
        disturbance=namespaces_kopf.Disturbance(),
        stop=asyncio.Event(),
        restart=asyncio.Event(),
    )
    body, patch = kopf.Body({"metadata": {"name": "team-a"}}), kopf.Patch()
    storages = given[0].persistence
    labelled = kopf.Body({"metadata": {"name": "team-a", "labels": {"team": "a"}}})
    assert storages.diffbase_storage.build(body=labelled) == {}  # nor copies it
    assert storages.diffbase_storage.fetch(body=body) is None
    storages.diffbase_storage.store(body=body, patch=patch, essence=kopf.BodyEssence({"spec": {}}))
    storages.progress_storage.store(
        key=kopf.HandlerId("namespace"), record=kopf.ProgressRecord({"started": "now"}), body=body, patch=patch
    )
    assert not patch
