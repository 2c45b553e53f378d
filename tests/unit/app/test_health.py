"""The answers of /healthz and /readyz."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

from pullkeeper.app.health import Liveness, Readiness
from testsupport.virtual_time import START


class Metrics:
    """Records the metrics that are passed on."""

    def __init__(self) -> None:
        self.heartbeats: list[datetime] = []
        self.results: list[str] = []

    def set_heartbeat(self, now: datetime) -> None:
        self.heartbeats.append(now)

    def observe_reconcile(self, result: str, seconds: float) -> None:  # noqa: ARG002 -- the protocol's
        self.results.append(result)


def test_process_without_a_heartbeat_yet_is_healthy() -> None:
    """A standby, or a process that still lists Secrets, is not restarted."""
    assert Liveness(Metrics(), clock=lambda: START).problem() is None


def test_process_is_unhealthy_a_minute_after_its_last_heartbeat() -> None:
    """A stuck worker loop makes /healthz fail, and says for how long."""
    now = START
    liveness = Liveness(Metrics(), clock=lambda: now)
    liveness.set_heartbeat(START)
    now += timedelta(seconds=60)
    assert liveness.problem() is None
    now += timedelta(seconds=1)
    assert liveness.problem() == "no heartbeat from the worker for 61 s"
    liveness.set_heartbeat(now)
    assert liveness.problem() is None


def test_liveness_passes_the_metrics_on() -> None:
    """The worker's heartbeat and results reach the metrics."""
    metrics = Metrics()
    liveness = Liveness(metrics, clock=lambda: START)
    liveness.set_heartbeat(START)
    liveness.observe_reconcile("success", 0.1)
    assert (metrics.heartbeats, metrics.results) == ([START], ["success"])


async def test_process_is_ready_once_every_cache_is_listed() -> None:
    """/readyz names the kinds that are still being listed; a kind with several watches needs all of them."""
    first, second, namespaces = asyncio.Event(), asyncio.Event(), asyncio.Event()
    readiness = Readiness({"Secrets": [first, second], "Namespaces": [namespaces], "ServiceAccounts": []})
    first.set()
    assert readiness.problem() == "still listing Secrets and Namespaces"
    second.set()
    assert readiness.problem() == "still listing Namespaces"
    namespaces.set()
    assert readiness.problem() is None


async def test_process_is_not_ready_while_a_right_is_missing() -> None:
    """/readyz names what is denied; a right that is granted again is enough."""
    denied = {"listing Secrets": False, "writing Secrets": True}
    synced = asyncio.Event()
    synced.set()
    readiness = Readiness({"Secrets": [synced]}, denied={what: partial(denied.__getitem__, what) for what in denied})
    assert readiness.is_denied()
    assert readiness.problem() == (
        "the API server denies writing Secrets: `pullkeeper check` says which rights are missing"
    )
    denied["writing Secrets"] = False
    assert not readiness.is_denied()
    assert readiness.problem() is None
