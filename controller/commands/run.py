"""`pullkeeper run`: the composition root. It reads the environment, wires everything, and runs it in one TaskGroup."""

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from controller import handlers
from controller.commands import logs
from controller.commands.reload import PolicyFile
from controller.core.namespace import NamespaceView
from controller.core.problem import InvalidInputError, Problem
from controller.core.settings import Settings, read
from controller.doors import http
from controller.doors.api_server import ApiServer, connect
from controller.doors.aws import Ecr
from controller.doors.cluster import Cluster, namespace_view
from controller.doors.events import Events
from controller.doors.metrics import CONTENT_TYPE, Metrics
from controller.doors.secret_watch import SecretWatch
from controller.doors.service_accounts import ServiceAccounts
from controller.inventory import Inventory
from controller.reconciler import Reconciler
from controller.report import Report
from controller.tokens import Tokens
from controller.worker import HEARTBEAT, Worker

logger = logging.getLogger(__name__)

_STUCK_AFTER = 12 * HEARTBEAT
_FINISH_SECONDS = 2.0
"""Time for what is under way when the process is told to stop; the whole end takes less than five seconds."""
_LAST_WORDS_SECONDS = 0.5
_KOPF_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The settings, and the file that they came from as it was then."""

    settings: Settings
    path: Path | None = None
    content: bytes = b""


def config_from(path: Path | None) -> Config:
    """Read the settings file and the environment; raises InvalidInputError with every problem."""
    try:
        content = path.read_bytes() if path else b""
    except OSError as error:
        raise _no_yaml(path, error) from None
    return Config(settings=_parse(path, content), path=path, content=content)


def _parse(path: Path | None, content: bytes) -> Settings:
    try:
        document = yaml.safe_load(content)
    except (ValueError, yaml.YAMLError) as error:
        raise _no_yaml(path, error) from None
    return read(document, os.environ)


def _no_yaml(path: Path | None, error: Exception) -> InvalidInputError:
    problem = Problem(where=f"--config {path}", found=" ".join(str(error).split()), expected="a YAML file")
    return InvalidInputError([problem])


async def run(config: Config, *, kubeconfig: str | None) -> None:
    """Run the controller until SIGTERM or SIGINT; raises FailureError or OSError where it cannot start."""
    settings = config.settings
    logs.set_up(form=settings.log_format, level=settings.log_level)
    metrics = Metrics(per_namespace=settings.namespace_metrics)
    connection = await connect(kubeconfig=kubeconfig, observe=metrics.kube_request)
    try:
        await _Controller(config, connection, metrics).run()
    finally:
        await connection.close()
    logger.info("stopped")


def _now() -> datetime:
    return datetime.now(UTC)


class _Controller:
    """Everything that runs, wired together."""

    def __init__(self, config: Config, connection: ApiServer, metrics: Metrics) -> None:
        self._settings = settings = config.settings
        self._connection = connection
        self._metrics = metrics
        self._chance = chance = random.Random()  # noqa: S311 -- jitter, not a secret
        self._stop = asyncio.Event()
        self._beat: datetime | None = None
        name = settings.secret_name
        self._cluster = Cluster(connection, secret_name=name)
        self._events = Events(connection, secret_name=name, instance=socket.gethostname(), clock=_now)
        self._inventory = Inventory(wake=self._wake, clock=_now, asks=self._asks)
        self._policy_file = PolicyFile(
            config.path,
            config.content,
            settings,
            read=partial(_parse, config.path),
            changed=self._inventory.wake_all,
            meter=metrics.settings_valid,
        )
        self._secrets = SecretWatch(
            connection,
            secret_name=name,
            wake=self._wake,
            relist_after=settings.audit_interval,
            chance=chance,
        )
        self._ecr = Ecr(
            environment=os.environ,
            allow_node_role=settings.allow_node_role,
            clock=_now,
            meters=metrics,
            web_identity=ServiceAccounts(connection).web_identity,
        )
        self._report = Report(self._events, metrics, clock=_now)
        reconciler = Reconciler(
            namespaces=self._inventory,
            secrets=self._secrets,
            cluster=self._cluster,
            tokens=Tokens(self._ecr, rotation=settings.rotation, clock=_now, chance=chance),
            report=self._report,
            policy=self._policy_file.policy,
            rotation=settings.rotation,
            clock=_now,
        )
        self._worker = Worker(
            reconciler.reconcile,
            lane=reconciler.lane,
            clock=_now,
            chance=chance,
            gauges=self,
            concurrency=settings.concurrency,
        )
        metrics.watch_depth(self._worker.depth)

    async def run(self) -> None:
        """Run until a signal; a task that dies takes the process down, for Kubernetes to start it anew."""
        asyncio.get_running_loop().set_exception_handler(self._complain)
        self._listen_to_signals()
        async with asyncio.TaskGroup() as group:
            works = (self._serve(), self._events.run(), self._report.run(), self._secrets.run())
            tasks = [group.create_task(work) for work in works]
            await self._until(self._secrets.synced)
            worker = group.create_task(self._worker.run())
            kopf_stop, kopf = asyncio.Event(), None
            if not self._stop.is_set():
                later = (self._audit(), self._policy_file.watch(), self._ecr.introduce())
                tasks += [group.create_task(work) for work in later]
                kopf = group.create_task(self._watch(kopf_stop))
            await self._stop.wait()
            await self._finish(worker, kopf, kopf_stop)
            for task in filter(None, (worker, kopf, *tasks)):
                task.cancel()

    async def _finish(
        self, worker: asyncio.Task[None], kopf: asyncio.Task[None] | None, kopf_stop: asyncio.Event
    ) -> None:
        logger.info("stopping: what is under way is finished, nothing more is begun")
        self._worker.stop()
        await asyncio.wait([worker], timeout=_FINISH_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._events.drained(), _LAST_WORDS_SECONDS)
        kopf_stop.set()
        if kopf is not None:
            await asyncio.wait([kopf], timeout=_KOPF_SECONDS)

    def heartbeat(self, now: datetime) -> None:
        """Take the worker's heartbeat, for /healthz and for the metrics."""
        self._beat = now
        self._metrics.heartbeat(now)

    def reconciled(self, result: str, seconds: float) -> None:
        """Count a look at one namespace."""
        self._metrics.reconciled(result, seconds)

    def _asks(self, view: NamespaceView) -> bool:
        return self._policy_file.policy().concerns(view)

    def _wake(self, name: str) -> None:
        self._worker.wake(name)

    @staticmethod
    def _complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what asyncio has to say in one line: nobody can tell what a traceback of others would show."""
        error = context.get("exception")
        logger.warning("%s (%s)", context["message"], type(error).__name__ if error else "no exception")

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    async def _until(self, event: asyncio.Event) -> None:
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _audit(self) -> Coroutine[None, None, None]:
        every = self._settings.audit_interval
        return self._inventory.audit(self._cluster.list_namespaces, every=every, chance=self._chance)

    async def _watch(self, stop: asyncio.Event) -> None:
        registry = handlers.registry(self._inventory, namespace_view, self._connection.access, self._connection.trace())
        ready = asyncio.Event()
        operator = asyncio.create_task(handlers.operate(registry, ready=ready, stop=stop))
        try:
            await self._until(ready)
            # Kopf has put its own handlers in the place of ours, and would stop before the worker is done.
            self._listen_to_signals()
            await operator
        finally:
            operator.cancel()
            self._stop.set()

    async def _serve(self) -> None:
        await http.serve(
            host=self._settings.http_host,
            port=self._settings.http_port,
            healthy=self._trouble,
            ready=self._missing,
            metrics=self._metrics.render,
            content_type=CONTENT_TYPE,
            bound=lambda port: logger.info("serving /healthz, /readyz and /metrics on port %d", port),
        )

    def _trouble(self) -> str | None:
        age = _now() - self._beat if self._beat else timedelta()
        return f"the worker has not come round for {age.total_seconds():.0f} s" if age > _STUCK_AFTER else None

    def _missing(self) -> str | None:
        synced = {"Secrets": self._secrets.synced, "Namespaces": self._inventory.synced}
        waiting = [kind for kind, event in synced.items() if not event.is_set()]
        return f"still listing {' and '.join(waiting)}" if waiting else None
