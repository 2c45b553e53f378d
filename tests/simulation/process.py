"""One life of the controller: its real parts, wired as `controller/commands/run.py` wires them, on simulated doors."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from controller.core.observed_secret import observe
from controller.core.policy import Policy
from controller.core.registry_host import RegistryHost
from controller.core.schedule import Rotation
from controller.doors.cluster import Cluster
from controller.doors.events import Events
from controller.doors.watch import Watch, secrets_named
from controller.inventory import Inventory
from controller.pull_secrets import Placed, PullSecrets
from controller.reconciler import Reconciler
from controller.report import Report
from controller.tokens import Tokens
from controller.verification import Unverified
from controller.worker import Worker
from tests.simulation.api_server import ApiServer
from tests.simulation.aws import Aws
from tests.simulation.store import SECRET_NAME
from tests.simulation.virtual_time import clock, now


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """What the controller is made of; a mutant replaces one part of it."""

    rotation: Rotation = field(default_factory=Rotation)
    defaults: tuple[RegistryHost, ...] = ()
    audit_interval: timedelta = timedelta(minutes=10)
    concurrency: int = 16
    cluster: type[Cluster] = Cluster
    tokens: type[Tokens] = Tokens
    reconciler: type[Reconciler] = Reconciler
    worker: type[Worker] = Worker
    inventory: type[Inventory] = Inventory
    secrets: type[PullSecrets] = PullSecrets
    report: type[Report] = Report


@dataclass(kw_only=True, slots=True)
class Figures:
    """The metrics: what is counted, for the tests to look at."""

    states: dict[str, str] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    """When the controller looked at any one namespace."""

    def secret_write(self, operation: str, result: str) -> None:
        """Count a write of a Secret."""
        self.writes.append((operation, result))

    def stands(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:  # noqa: ARG002 -- Meters' signature
        """Note how a namespace stands."""
        if state is None:
            self.states.pop(namespace, None)
        else:
            self.states[namespace] = str(state)

    def forget_namespaces(self) -> None:
        """Forget how all of them stand."""
        self.states.clear()

    def first_secret(self, wait: timedelta) -> None:
        """Note how long a first Secret took."""

    def heartbeat(self, now: datetime) -> None:
        """Take the worker's heartbeat."""

    def reconciled(self, result: str, seconds: float) -> None:  # noqa: ARG002 -- Gauges' signature
        """Count a look at one namespace."""
        self.looks.append(now())


class Process:
    """The controller from its start to the instant when it is killed."""

    def __init__(self, server: ApiServer, aws: Aws, wiring: Wiring, chance: random.Random) -> None:
        self.figures = Figures()
        self._wiring = wiring
        self._chance = chance
        self._cluster = wiring.cluster(server, secret_name=SECRET_NAME)
        self._events = Events(server, secret_name=SECRET_NAME, instance="simulation", clock=clock)
        self.inventory = wiring.inventory(wake=self._wake, clock=clock)
        self.secrets = wiring.secrets(wake=self._wake)
        self._secret_watch = Watch[Placed](
            server,
            secrets_named(SECRET_NAME),
            read=lambda metadata: (metadata["namespace"], observe(metadata)),
            sink=self.secrets,
            relist_after=wiring.audit_interval,
            chance=chance,
        )
        self.tokens = wiring.tokens(aws, rotation=wiring.rotation, clock=clock, chance=chance)
        self.report = wiring.report(self._events, self.figures, clock=clock)
        self.reconciler = wiring.reconciler(
            namespaces=self.inventory,
            secrets=self.secrets,
            cluster=self._cluster,
            tokens=Unverified(self.tokens),
            report=self.report,
            policy=lambda: Policy(registries=wiring.defaults),
            rotation=wiring.rotation,
            clock=clock,
        )
        self.worker = wiring.worker(
            self.reconciler.reconcile,
            lane=self.reconciler.lane,
            clock=clock,
            chance=chance,
            gauges=self.figures,
            concurrency=wiring.concurrency,
        )

    async def run(self, watch: Callable[[Inventory], None]) -> None:
        """Run until killed; `watch` starts to hand on the Namespaces."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._events.run())
            group.create_task(self.report.run())
            group.create_task(self._secret_watch.run())
            await self.secrets.synced.wait()
            group.create_task(self.worker.run())
            every = self._wiring.audit_interval
            group.create_task(self.inventory.audit(self._cluster.list_namespaces, every=every, chance=self._chance))
            watch(self.inventory)

    def shown(self) -> str:
        """Give everything that a debugger or a careless log line could show of the controller's memory."""
        parts = (self.inventory, self.secrets, self.tokens, self.report, self.reconciler, self.worker, self._events)
        return "\n".join(repr(_insides(part)) for part in parts)

    def _wake(self, name: str) -> None:
        self.worker.wake(name)


def _insides(part: object) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if not callable(value)}
