"""What the controller is made of, and which part knows which."""

import os
import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import uuid4

from pullkeeper.adapters.aws import Ecr
from pullkeeper.adapters.kubernetes.client import KubeClient, instance
from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.adapters.kubernetes.lease import LeaseClient
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.reflector import Reflector, namespace_list_watch, secrets_list_watch
from pullkeeper.adapters.kubernetes.service_account_tokens import ServiceAccountTokens
from pullkeeper.adapters.prometheus import Metrics
from pullkeeper.app.config_loader import Config, parse
from pullkeeper.app.policy_reloader import PolicyReloader
from pullkeeper.app.service_account_wiring import Attaching
from pullkeeper.app.verification_wiring import Verifying
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.observed_secret import observe
from pullkeeper.reconcile.leader_elector import LeaderElector, NoElection
from pullkeeper.reconcile.namespace_cache import NamespaceCache, OneNamespace
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.secret_cache import ByNamespace, OneNamespaceSecrets, Placed, SecretCache
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.work_queue import WorkQueue
from pullkeeper.reconcile.worker import Metrics as WorkerMetrics
from pullkeeper.reconcile.worker import Worker


class Runs(Protocol):
    """Whatever runs until it is cancelled."""

    async def run(self) -> None:
        """Run."""


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def _uptime() -> float:
    """Tell seconds that never stand still: not while the process is frozen, nor while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Container:
    """The parts, wired together; nothing runs yet."""

    def __init__(
        self, config: Config, connection: KubeClient, metrics: Metrics, gauges: WorkerMetrics, beat: Callable[[], None]
    ) -> None:
        self._settings = settings = config.settings
        self._connection = connection
        self._chance = chance = random.Random()  # noqa: S311 -- jitter, not a secret
        self.leadership = _leadership(settings, connection, beat)
        guarded = connection.guarded(self.leadership.is_leader)
        name = settings.secret_name
        self.cluster = PullSecretClient(guarded, secret_name=name)
        self.events = EventRecorder(guarded, secret_name=name, instance=instance(), clock=now)
        self.queue = WorkQueue(clock=now, max_concurrent=settings.max_concurrent_reconciles)
        self.inventory = NamespaceCache(wake=self.queue.add, clock=now, asks=self._asks)
        self.policy_file = PolicyReloader(
            config.path,
            config.content,
            settings,
            read=partial(parse, config.path),
            changed=self.inventory.wake_all,
            meter=metrics.set_config_last_reload_successful,
        )
        self.ecr = Ecr(
            environment=os.environ,
            allow_node_instance_role=settings.allow_node_instance_role,
            clock=now,
            meters=metrics,
            web_identity=ServiceAccountTokens(connection).web_identity,
        )
        self.watches: tuple[Runs, ...] = ()
        self._watch_all()
        self.verifying = Verifying(
            settings,
            self.ecr,
            self.secrets,
            self.cluster,
            wake=self.queue.add,
            clock=now,
            chance=chance,
            metrics=metrics,
        )
        self.report = StatusReporter(self.events, metrics, clock=now)
        reconciler = Reconciler(
            namespaces=self.inventory,
            secrets=self.secrets,
            cluster=self.cluster,
            tokens=self.verifying.shelf,
            report=self.report,
            policy=self.policy_file.policy,
            rotation=settings.rotation,
            clock=now,
            attaching=settings.service_account_attachment,
        )
        attaching = Attaching(
            connection,
            guarded,
            settings,
            inventory=self.inventory,
            secrets=self.secrets,
            events=self.events,
            policy=self.policy_file,
            wake=self.queue.add,
            clock=now,
            chance=chance,
        )
        self.watches = (*self.watches, *attaching.watches)
        self.accounts_synced = attaching.synced
        self.worker = Worker(
            self.queue,
            attaching.after(reconciler.reconcile),
            priority_of=reconciler.priority,
            clock=now,
            rng=chance,
            metrics=gauges,
        )
        metrics.set_workqueue_depth(self.worker.depth)

    def _watch_all(self) -> None:
        """Watch the Secrets everywhere, and leave the Namespaces to kopf; or both, namespace by namespace."""
        only = self._settings.watch_namespaces
        self.secrets: SecretCache | ByNamespace
        if not only:
            everywhere = SecretCache(wake=self.queue.add)
            self.secrets = everywhere
            self.watches = (self._watch_secrets(everywhere),)
            self.secrets_synced, self.namespaces_synced = [everywhere.synced], [self.inventory.synced]
            return
        parts = {namespace: OneNamespaceSecrets(wake=self.queue.add) for namespace in only}
        sinks = [OneNamespace(self.inventory, namespace) for namespace in only]
        self.secrets = ByNamespace(parts)
        self.watches = (
            *(self._watch_secrets(part, namespace) for namespace, part in parts.items()),
            *(self._watch_namespace(sink) for sink in sinks),
        )
        self.secrets_synced = [part.synced for part in parts.values()]
        self.namespaces_synced = [sink.synced for sink in sinks]

    def _watch_secrets(self, sink: SecretCache, namespace: str = "") -> Runs:
        return Reflector[Placed](
            self._connection,
            secrets_list_watch(self._settings.secret_name, namespace),
            read=lambda metadata: (metadata["namespace"], observe(metadata)),
            sink=sink,
            relist_after=self._settings.relist_interval,
            chance=self._chance,
        )

    def _watch_namespace(self, sink: OneNamespace) -> Runs:
        return Reflector[ObservedNamespace](
            self._connection,
            namespace_list_watch(sink.name),
            read=observe_namespace,
            sink=sink,
            relist_after=self._settings.relist_interval,
            chance=self._chance,
        )

    def audit(self) -> Coroutine[None, None, None]:
        """List all Namespaces, again and again."""
        every = self._settings.relist_interval
        return self.inventory.audit(self.cluster.list_namespaces, every=every, chance=self._chance)

    def _asks(self, view: ObservedNamespace) -> bool:
        return self.policy_file.policy().applies_to(view)


def _leadership(settings: Settings, connection: KubeClient, beat: Callable[[], None]) -> NoElection | LeaderElector:
    if not settings.leader_election:
        return NoElection()
    door = LeaseClient(connection, namespace=settings.lease_namespace, name=settings.lease_name, clock=now)
    # The pod's name for people, and more, because a container that starts anew is another one.
    me = f"{instance()}_{uuid4().hex[:8]}"
    return LeaderElector(door, me=me, duration=settings.lease_duration, clock=_uptime, beat=beat)
