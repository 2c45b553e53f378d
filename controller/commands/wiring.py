"""What the controller is made of, and which part knows which."""

import os
import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import uuid4

from controller.commands.attaching import Attaching
from controller.commands.config import Config, parse
from controller.commands.reload import PolicyFile
from controller.commands.verifying import Verifying
from controller.core.namespace import NamespaceView, namespace_view
from controller.core.observed_secret import observe
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer, instance
from controller.doors.aws import Ecr
from controller.doors.cluster import Cluster
from controller.doors.events import Events
from controller.doors.lease import LeaseDoor
from controller.doors.metrics import Metrics
from controller.doors.service_accounts import ServiceAccounts
from controller.doors.watch import Watch, namespace_named, secrets_named
from controller.inventory import Inventory, OneNamespace
from controller.leadership import Alone, Leadership
from controller.pull_secrets import ByNamespace, OneNamespaceSecrets, Placed, PullSecrets
from controller.reconciler import Reconciler
from controller.report import Report
from controller.worker import Gauges, Worker


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


class Parts:
    """The parts, wired together; nothing runs yet."""

    def __init__(
        self, config: Config, connection: ApiServer, metrics: Metrics, gauges: Gauges, beat: Callable[[], None]
    ) -> None:
        self._settings = settings = config.settings
        self._connection = connection
        self._chance = chance = random.Random()  # noqa: S311 -- jitter, not a secret
        self.leadership = _leadership(settings, connection, beat)
        guarded = connection.guarded(self.leadership.holds)
        name = settings.secret_name
        self.cluster = Cluster(guarded, secret_name=name)
        self.events = Events(guarded, secret_name=name, instance=instance(), clock=now)
        self.inventory = Inventory(wake=self._wake, clock=now, asks=self._asks)
        self.policy_file = PolicyFile(
            config.path,
            config.content,
            settings,
            read=partial(parse, config.path),
            changed=self.inventory.wake_all,
            meter=metrics.settings_valid,
        )
        self.ecr = Ecr(
            environment=os.environ,
            allow_node_role=settings.allow_node_role,
            clock=now,
            meters=metrics,
            web_identity=ServiceAccounts(connection).web_identity,
        )
        self.watches: tuple[Runs, ...] = ()
        self._watch_all()
        self.verifying = Verifying(
            settings,
            self.ecr,
            self.secrets,
            self.cluster,
            wake=self._wake,
            clock=now,
            chance=chance,
            metrics=metrics,
        )
        self.report = Report(self.events, metrics, clock=now)
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
            wake=self._wake,
            clock=now,
            chance=chance,
        )
        self.watches = (*self.watches, *attaching.watches)
        self.accounts_synced = attaching.synced
        self.worker = Worker(
            attaching.after(reconciler.reconcile),
            lane=reconciler.lane,
            clock=now,
            chance=chance,
            gauges=gauges,
            concurrency=settings.concurrency,
        )
        metrics.watch_depth(self.worker.depth)

    def _watch_all(self) -> None:
        """Watch the Secrets everywhere, and leave the Namespaces to kopf; or both, namespace by namespace."""
        only = self._settings.watch_namespaces
        self.secrets: PullSecrets | ByNamespace
        if not only:
            everywhere = PullSecrets(wake=self._wake)
            self.secrets = everywhere
            self.watches = (self._watch_secrets(everywhere),)
            self.secrets_synced, self.namespaces_synced = [everywhere.synced], [self.inventory.synced]
            return
        parts = {namespace: OneNamespaceSecrets(wake=self._wake) for namespace in only}
        sinks = [OneNamespace(self.inventory, namespace) for namespace in only]
        self.secrets = ByNamespace(parts)
        self.watches = (
            *(self._watch_secrets(part, namespace) for namespace, part in parts.items()),
            *(self._watch_namespace(sink) for sink in sinks),
        )
        self.secrets_synced = [part.synced for part in parts.values()]
        self.namespaces_synced = [sink.synced for sink in sinks]

    def _watch_secrets(self, sink: PullSecrets, namespace: str = "") -> Runs:
        return Watch[Placed](
            self._connection,
            secrets_named(self._settings.secret_name, namespace),
            read=lambda metadata: (metadata["namespace"], observe(metadata)),
            sink=sink,
            relist_after=self._settings.audit_interval,
            chance=self._chance,
        )

    def _watch_namespace(self, sink: OneNamespace) -> Runs:
        return Watch[NamespaceView](
            self._connection,
            namespace_named(sink.name),
            read=namespace_view,
            sink=sink,
            relist_after=self._settings.audit_interval,
            chance=self._chance,
        )

    def audit(self) -> Coroutine[None, None, None]:
        """List all Namespaces, again and again."""
        every = self._settings.audit_interval
        return self.inventory.audit(self.cluster.list_namespaces, every=every, chance=self._chance)

    def _asks(self, view: NamespaceView) -> bool:
        return self.policy_file.policy().concerns(view)

    def _wake(self, name: str) -> None:
        self.worker.wake(name)


def _leadership(settings: Settings, connection: ApiServer, beat: Callable[[], None]) -> Alone | Leadership:
    if not settings.leader_election:
        return Alone()
    door = LeaseDoor(connection, namespace=settings.lease_namespace, name=settings.lease_name, clock=now)
    # The pod's name for people, and more, because a container that starts anew is another one.
    me = f"{instance()}_{uuid4().hex[:8]}"
    return Leadership(door, me=me, duration=settings.lease_duration, clock=_uptime, beat=beat)
