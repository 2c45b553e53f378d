"""Replays a run of the model against real LeaderElectors, each on a loop with a clock of its own."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.lease import Lease
from pullkeeper.reconcile.leader_elector import LeaderElector
from testsupport.model.stepped_loop import SteppedLoop

_EIGHTHS = 8
"""Of a second, the unit of the model's clocks."""
_DURATION = timedelta(seconds=30)
_BROKEN = FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the connection broke"))


class DivergedError(Exception):
    """The elector did something else than the model."""


@dataclass(kw_only=True)
class _Request:
    sender: str
    kind: str
    over: int
    arrive: Callable[[], Lease | None]
    """Executes it at the API server; raises StaleObservationError."""
    reply: "asyncio.Future[Lease | None]"
    answer: Lease | StaleObservationError | None = None


@dataclass
class _Cluster:
    """The API server with one Lease, and what was sent to it."""

    lease: Lease | None = None
    versions: int = 0
    requests: dict[int, _Request] = field(default_factory=dict)

    def write(self, lease: Lease, over: str) -> Lease:
        """Write the Lease over exactly that version."""
        if (self.lease.version if self.lease else "") != over:
            raise StaleObservationError("lease/pullkeeper")
        self.versions += 1
        self.lease = replace(lease, version=str(self.versions))
        return self.lease


class _Client:
    """What an elector talks to: each request waits in the cluster until the trace says what becomes of it."""

    def __init__(self, name: str, cluster: _Cluster) -> None:
        self._name = name
        self._cluster = cluster

    async def read(self) -> Lease | None:
        return await self._send("read", 0, lambda: self._cluster.lease)

    async def create(self, holder: str, duration: timedelta) -> Lease:
        return await self._write("create", Lease(uid="u", version="", holder=holder, duration=duration), "")

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        return await self._write("take", replace(lease, holder=holder, duration=duration), lease.version)

    async def renew(self, lease: Lease) -> Lease:
        return await self._write("renew", lease, lease.version)

    async def release(self, lease: Lease) -> None:
        await self._write("release", replace(lease, holder=""), lease.version)

    async def _write(self, kind: str, lease: Lease, over: str) -> Lease:
        written = await self._send(kind, int(over or 0), lambda: self._cluster.write(lease, over))
        assert written is not None
        return written

    async def _send(self, kind: str, over: int, arrive: Callable[[], Lease | None]) -> Lease | None:
        reply: asyncio.Future[Lease | None] = asyncio.get_running_loop().create_future()
        request = _Request(sender=self._name, kind=kind, over=over, arrive=arrive, reply=reply)
        self._cluster.requests[len(self._cluster.requests) + 1] = request
        return await reply


class _Replica:
    """An elector on a loop of its own."""

    def __init__(self, name: str, cluster: _Cluster) -> None:
        self.loop = SteppedLoop()
        self.elector = LeaderElector(
            _Client(name, cluster),
            holder_id=name,
            duration=_DURATION,
            clock=self.loop.time,
            heartbeat=lambda: None,
        )
        self._task = self.loop.create_task(self.elector.run())

    def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self._task)
        self.loop.close()


def replay(states: list[dict[str, Any]]) -> int:
    """Do what the trace says, step by step; return how many steps.

    Raises DivergedError where an elector sends another request, leads where the model does not, or the reverse.
    """
    cluster = _Cluster()
    replicas = {name: _Replica(name, cluster) for name in states[0]["replicas"]}
    try:
        for number, state in enumerate(states):
            _do(state, replicas, cluster)
            difference = _difference(state, replicas, cluster)
            if difference:
                raise DivergedError(f"step {number}, {state['last']}: {difference}")
    finally:
        for replica in replicas.values():
            replica.close()
    return len(states)


def _do(state: dict[str, Any], replicas: dict[str, _Replica], cluster: _Cluster) -> None:
    what, name, number = (state["last"][key] for key in ("what", "replica", "request"))
    if what == "tick":
        for each, replica in replicas.items():
            replica.loop.seconds = state["replicas"][each]["clock"] / _EIGHTHS
    elif what == "timer":
        replicas[name].loop.settle()
    elif what == "arrive":
        _arrive(cluster.requests[number])
    elif what in {"answer", "break"} and not cluster.requests[number].reply.done():
        _answer(cluster.requests[number], broken=what == "break")
        replicas[name].loop.settle()


def _arrive(request: _Request) -> None:
    try:
        request.answer = request.arrive()
    except StaleObservationError as error:
        request.answer = error


def _answer(request: _Request, *, broken: bool) -> None:
    if broken:
        request.reply.set_exception(_BROKEN)
    elif isinstance(request.answer, StaleObservationError):
        request.reply.set_exception(request.answer)
    else:
        request.reply.set_result(request.answer)


def _difference(state: dict[str, Any], replicas: dict[str, _Replica], cluster: _Cluster) -> str:
    """Return how the electors and the model differ; empty if they agree."""
    if len(cluster.requests) != state["requests"]:
        return f"{len(cluster.requests)} requests, not {state['requests']}"
    for message in state["network"]:
        request = cluster.requests[message["id"]]
        sent = (request.sender, request.kind, request.over)
        expected = (message["sender"], message["kind"], message["over"])
        if sent != expected:
            return f"sent {sent}, not {expected}"
    stored = (int(cluster.lease.version), cluster.lease.holder) if cluster.lease else (0, "")
    if stored != (state["stored"]["version"], state["stored"]["holder"]):
        return f"the Lease is {stored}, not {state['stored']}"
    for name, replica in replicas.items():
        leads = state["replicas"][name]["clock"] < state["replicas"][name]["leadsUntil"]
        if replica.elector.is_leader() != leads:
            return f"{name} {'leads' if replica.elector.is_leader() else 'does not lead'}"
    return ""
