"""A run of one scenario with faults at chosen points, and the judgement on it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

from pullkeeper.app import policy_reloader
from pullkeeper.app.config_loader import Config, parse
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport import virtual_time
from testsupport.boundaries import replica as replicas
from testsupport.boundaries.aws import FailingAws
from testsupport.boundaries.cluster import Cluster
from testsupport.boundaries.journal import STOPS, Crossing, Journal, Plan
from testsupport.boundaries.replica import Replica
from testsupport.boundaries.server import READING, Server
from testsupport.boundaries.watches import NamespaceFeed, Streams
from testsupport.simulation.botocore_stand_in import simulated_botocore
from testsupport.simulation.faults import Faults
from testsupport.simulation.geography import Geography
from testsupport.simulation.logs import recorded_logs
from testsupport.simulation.process import Process
from testsupport.simulation.record import Period, Record, Request, Status
from testsupport.simulation.registries import Registries
from testsupport.simulation.timers import slow_timers
from testsupport.virtual_time import HOUR, MINUTE, elapsed, sleep_until

NAMESPACE = "team"
_RESTART_SECONDS = 1.0
SETTLING = 15 * MINUTE
"""Seconds after the last fault by which the cluster is as it should be: a relist, and the longest retry."""
QUIET = 2 * HOUR
"""Seconds after that in which nothing is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What happens to one namespace, and what comes of it."""

    name: str
    actions: Sequence[tuple[float, Callable[["World"], None]]]
    """What is done at which second."""
    window: tuple[float, float]
    """The seconds between which faults are injected."""
    goal: Callable[["World"], Iterator[str]]
    """Reports what is not as it was asked for in the end."""
    calls: frozenset[str]
    """What must occur in the window: a verb and the resource, as the journal has them."""
    settings: Settings = field(default_factory=Settings)
    document: str = ""
    """The settings file, if there is one."""
    replicas: tuple[str, ...] = ("a",)
    service_account: str = ""
    """Whom the namespace fetches tokens as where it is opted in, if not as the controller."""
    roles: tuple[str, ...] = ()
    """Roles that trust everybody here."""
    quiet: float = QUIET
    watch_seconds: float | None = None
    """How long the API server keeps a watch open; as long as the client has asked for if None."""
    pace: timedelta = timedelta(minutes=5)
    """How often the worker wakes without a reason, and ServiceAccounts in use are read."""
    start_at: float = 0.0
    """The second at which the controllers are started."""
    aws_down: tuple[Period, ...] = ()
    is_obstructed: bool = False
    """Whether something that only people can remove is in the way, so that it is tried and told again and again."""
    mutation: tuple[tuple[str, object], ...] = ()
    """Broken classes by the name of the class in the container's module that they replace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a run."""

    crossings: tuple[Crossing, ...]
    wrong: tuple[str, ...]
    writes: int


class SettingsFile:
    """The settings file, in memory."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read_bytes(self) -> bytes:
        """Return its content."""
        return self.text.encode()

    def __str__(self) -> str:
        return "settings.yaml"


class World:
    """One run in progress."""

    def __init__(self, scenario: Scenario, plan: Plan) -> None:
        self.scenario = scenario
        until = scenario.window[1]
        self.settled_at = until + SETTLING
        self.end = self.settled_at + scenario.quiet
        self.record = Record(end=self.end, aws_down=list(scenario.aws_down))
        self.cluster = Cluster(self.record)
        self.journal = Journal(plan, *scenario.window)
        self._ends_are_judged = len(plan) <= 1 or _stops_last(plan)
        """With a fault after SIGTERM, what gives up the Lease may get lost: then it is held until it expires."""
        self.file = SettingsFile(scenario.document)
        self.running: dict[str, Replica] = {}
        self.wrong: list[str] = []
        self._streams = Streams(self.cluster, self.journal, scenario.watch_seconds)
        geography = Geography(trust=dict.fromkeys(scenario.roles, frozenset({"controller", f"{NAMESPACE}/*"})))
        faults = Faults(aws=list(scenario.aws_down))
        self.aws = FailingAws(self.record, faults, geography, replicas.seeded("aws", 0))
        self.aws.journal, self.aws.interrupt = self.journal, lambda fault: replicas.current().interrupt(fault)

    def finish(self) -> None:
        """Run it to its end."""
        with ExitStack() as stack:
            stack.enter_context(recorded_logs(self.record))
            stack.enter_context(simulated_botocore(self.aws))
            stack.enter_context(slow_timers(self.scenario.pace))
            for module, name, value in _PATIENT:
                stack.enter_context(mock.patch.object(module, name, value))
            virtual_time.run(self._live())

    def annotate(self, status: Status, hosts: Sequence[str], **annotations: str) -> None:
        """Write the Namespace; in keys `_` stands for `-`."""
        given = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
        self.cluster.put_namespace(NAMESPACE, status, tuple(sorted(hosts)), given)

    def opt_in(self, *hosts: str, **annotations: str) -> None:
        """Opt the namespace in for these hosts."""
        own = {"service-account-name": self.scenario.service_account} if self.scenario.service_account else {}
        self.annotate(Status.OPTED_IN, hosts, enabled="true", registries=",".join(hosts), **own, **annotations)

    def entries(self, account: str) -> list[str]:
        """Return the imagePullSecrets of a ServiceAccount."""
        return list(self.cluster.accounts[NAMESPACE, account].pull_secrets)

    def writes(self, since: float) -> list[Request]:
        """Return the requests from then on that would change something, but for the Lease."""
        found = [each for each in self.record.requests if each.at >= since and each.verb not in READING]
        return [each for each in found if "/leases/" not in each.path]

    def open_streams(self) -> int:
        """Count the open watches."""
        return self._streams.count()

    async def _live(self) -> None:
        asyncio.get_running_loop().set_task_factory(cast("Any", replicas.make_task))
        keepers = [asyncio.create_task(self._keep(name)) for name in self.scenario.replicas]
        for at, act in self.scenario.actions:
            await sleep_until(at)
            act(self)
        await sleep_until(self.end)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.wait(keepers)
        for keeper in keepers:
            if not keeper.cancelled():
                keeper.result()

    async def _keep(self, name: str) -> None:
        """Start a controller again and again."""
        life = 0
        await sleep_until(self.scenario.start_at)
        while True:
            life += 1
            replica = self.running[name] = Replica(name, partial(self._process, life))
            self.wrong += await replica.live()
            if replica.was_stopped and self._ends_are_judged:
                self.wrong += [*replica.unfinished, *self._still_held(replica, f"{name}-{life}")]
            self.record.controller_down.append(Period(start=elapsed(), end=elapsed() + _RESTART_SECONDS))
            await asyncio.sleep(_RESTART_SECONDS)

    def _process(self, life: int, replica: Replica) -> Process:
        scenario = self.scenario
        config = Config(settings=scenario.settings)
        if scenario.document:
            content, path = self.file.read_bytes(), cast("Path", self.file)
            config = Config(settings=parse("--config", content), path=path, content=content)
        return Process(
            Server(
                self.cluster,
                self.journal,
                self._streams,
                replica.interrupt,
                on_arrival=self._count_leaders,
            ),
            partial(NamespaceFeed, self.cluster, self.journal),
            replicas.seeded(replica.name, life),
            settings=scenario.settings,
            mutation=dict(scenario.mutation),
            registries=Registries(self.record, Faults()),
            record=self.record,
            holder_id=f"{replica.name}-{life}",
            config=config,
        )

    def _count_leaders(self) -> None:
        leaders = [replica.name for replica in self.running.values() if replica.leads()]
        if len(leaders) > 1:
            self.wrong.append(f"{' and '.join(leaders)} lead at {elapsed():.2f}")

    def _still_held(self, replica: Replica, holder: str) -> Iterator[str]:
        lease = self.cluster.lease
        if lease is not None and lease["spec"]["holderIdentity"] == holder:
            yield f"{replica.name}: the Lease is still held after SIGTERM"


def _stops_last(plan: Plan) -> bool:
    """Whether SIGTERM is the last that happens, and the only one."""
    return [fault for _, fault in sorted(plan.items()) if fault in STOPS] == [plan[max(plan)]]


async def _inline(function: Callable[[], bytes]) -> bytes:
    """Read a file without a thread, which a virtual loop would not wait for."""
    return function()


_PATIENT: tuple[tuple[Any, str, object], ...] = (
    (policy_reloader, "_INTERVAL", MINUTE),
    (asyncio, "to_thread", _inline),
)
"""What would otherwise be most of the work of a run."""
