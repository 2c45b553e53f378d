"""One life of the controller: its real parts, wired as the container wires them."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.reflector import Reflector, secrets_list_watch
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.secret.observed_secret import observe
from pullkeeper.reconcile.namespace_cache import NamespaceCache
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.secret_cache import Placed, SecretCache
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.work_queue import WorkQueue
from pullkeeper.reconcile.worker import Worker
from pullkeeper.tokens.token_cache import TokenCache
from pullkeeper.tokens.token_verifier import UnverifiedTokens
from testsupport.simulation.api_server import ApiServer
from testsupport.simulation.aws import Aws
from testsupport.simulation.store import SECRET_NAME
from testsupport.simulation.virtual_time import clock, now


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """What the controller is made of; a mutant replaces one part of it."""

    rotation: Rotation = field(default_factory=Rotation)
    defaults: tuple[RegistryHost, ...] = ()
    relist_interval: timedelta = timedelta(minutes=10)
    concurrency: int = 16
    cluster: type[PullSecretClient] = PullSecretClient
    tokens: type[TokenCache] = TokenCache
    reconciler: type[Reconciler] = Reconciler
    worker: type[Worker] = Worker
    inventory: type[NamespaceCache] = NamespaceCache
    secrets: type[SecretCache] = SecretCache
    report: type[StatusReporter] = StatusReporter


@dataclass(kw_only=True, slots=True)
class Figures:
    """The metrics: what is counted, for the tests to look at."""

    states: dict[str, str] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    """When the controller looked at any one namespace."""

    def record_secret_write(self, operation: str, result: str) -> None:
        """Count a write of a Secret."""
        self.writes.append((operation, result))

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:  # noqa: ARG002 -- Meters' signature
        """Note how a namespace stands."""
        if state is None:
            self.states.pop(namespace, None)
        else:
            self.states[namespace] = str(state)

    def forget_namespaces(self) -> None:
        """Forget how all of them stand."""
        self.states.clear()

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """Note how long a first Secret took."""

    def set_heartbeat(self, now: datetime) -> None:
        """Take the worker's heartbeat."""

    def observe_reconcile(self, result: str, seconds: float) -> None:  # noqa: ARG002 -- Gauges' signature
        """Count a look at one namespace."""
        self.looks.append(now())


class Process:
    """The controller from its start to the instant when it is killed."""

    def __init__(self, server: ApiServer, aws: Aws, wiring: Wiring, chance: random.Random) -> None:
        self.figures = Figures()
        self._wiring = wiring
        self._chance = chance
        self._cluster = wiring.cluster(server, secret_name=SECRET_NAME)
        self._events = EventRecorder(server, secret_name=SECRET_NAME, instance="simulation", clock=clock)
        self.queue = WorkQueue(clock=clock, max_concurrent=wiring.concurrency)
        self.inventory = wiring.inventory(wake=self.queue.add, clock=clock)
        self.secrets = wiring.secrets(wake=self.queue.add)
        self._secret_watch = Reflector[Placed](
            server,
            secrets_list_watch(SECRET_NAME),
            read=lambda metadata: (metadata["namespace"], observe(metadata)),
            sink=self.secrets,
            relist_after=wiring.relist_interval,
            chance=chance,
        )
        self.tokens = wiring.tokens(aws, rotation=wiring.rotation, clock=clock, chance=chance)
        self.report = wiring.report(self._events, self.figures, clock=clock)
        self.reconciler = wiring.reconciler(
            namespaces=self.inventory,
            secrets=self.secrets,
            cluster=self._cluster,
            tokens=UnverifiedTokens(self.tokens),
            report=self.report,
            policy=lambda: Policy(registries=wiring.defaults),
            rotation=wiring.rotation,
            clock=clock,
        )
        self.worker = wiring.worker(
            self.queue,
            self.reconciler.reconcile,
            priority_of=self.reconciler.priority,
            clock=clock,
            rng=chance,
            metrics=self.figures,
        )

    async def run(self, watch: Callable[[NamespaceCache], None]) -> None:
        """Run until killed; `watch` starts to hand on the Namespaces."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._events.run())
            group.create_task(self.report.run())
            group.create_task(self._secret_watch.run())
            await self.secrets.synced.wait()
            group.create_task(self.worker.run())
            every = self._wiring.relist_interval
            group.create_task(self.inventory.audit(self._cluster.list_namespaces, every=every, chance=self._chance))
            watch(self.inventory)

    def shown(self) -> str:
        """Give everything that a debugger or a careless log line could show of the controller's memory."""
        queue = (self.queue, self.worker)
        parts = (self.inventory, self.secrets, self.tokens, self.report, self.reconciler, *queue, self._events)
        return "\n".join(repr(_insides(part)) for part in parts)


def _insides(part: object) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if not callable(value)}
