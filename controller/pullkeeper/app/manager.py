"""The life of the controller process, from start to orderly shutdown, in one TaskGroup."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.adapters import http_server
from pullkeeper.adapters.kubernetes import namespaces_kopf
from pullkeeper.adapters.kubernetes.client import KubeClient, connect
from pullkeeper.adapters.prometheus import CONTENT_TYPE, Metrics
from pullkeeper.app import log_setup
from pullkeeper.app.config_loader import Config
from pullkeeper.app.container import Container, now
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.reconcile.worker import HEARTBEAT

logger = logging.getLogger(__name__)

_STUCK_AFTER = 12 * HEARTBEAT
_FINISH_SECONDS = 1.0
"""Time for what is under way when the process is told to stop: then another replica may take over."""
_LAST_WORDS_SECONDS = 0.5
_KOPF_SECONDS = 1.0


async def run(config: Config, *, kubeconfig: str | None) -> None:
    """Run the controller until SIGTERM or SIGINT; raises FailureError or OSError where it cannot start."""
    settings = config.settings
    log_setup.configure_logging(form=settings.log_format, level=settings.log_level)
    metrics = Metrics(per_namespace=settings.per_namespace_metrics)
    connection = await connect(kubeconfig=kubeconfig, observe=metrics.record_kube_request)
    try:
        await _Controller(config, connection, metrics).run()
    finally:
        await connection.close()
    logger.info("stopped")


class _Controller:
    """The parts at work."""

    def __init__(self, config: Config, connection: KubeClient, metrics: Metrics) -> None:
        self._settings = config.settings
        self._connection = connection
        self._metrics = metrics
        metrics.set_leader(not config.settings.leader_election)
        self._stop = asyncio.Event()
        self._beat: datetime | None = None
        self._parts = Container(config, connection, metrics, gauges=self, beat=lambda: self.set_heartbeat(now()))

    async def run(self) -> None:
        """Run until a signal; a task that dies takes the process down, for Kubernetes to start it anew."""
        asyncio.get_running_loop().set_exception_handler(self._complain)
        self._listen_to_signals()
        parts = self._parts
        async with asyncio.TaskGroup() as group:
            runs = (self._serve(), parts.events.run(), parts.report.run(), *(watch.run() for watch in parts.watches))
            tasks = [group.create_task(work) for work in runs]
            await self._until(*parts.secrets_synced)
            leading = group.create_task(parts.leadership.run())
            acting = group.create_task(self._act())
            kopf_stop, kopf = asyncio.Event(), None
            if not self._stop.is_set():
                tasks += [group.create_task(work) for work in (parts.policy_file.watch(), parts.ecr.introduce())]
                if not self._settings.watch_namespaces:
                    tasks.append(group.create_task(parts.audit()))
                    kopf = group.create_task(self._watch(kopf_stop))
            await self._stop.wait()
            await self._finish(acting, leading)
            await self._end_kopf(kopf, kopf_stop)
            for task in filter(None, (acting, leading, kopf, *tasks)):
                task.cancel()

    async def _act(self) -> None:
        """Work while this replica leads; everything is looked at whenever it has come to lead."""
        leadership, worker = self._parts.leadership, self._parts.worker
        while await self._comes(leadership.gained()):
            self._metrics.set_leader(True)
            self._parts.inventory.wake_all()
            runs = (worker.run(), self._parts.verifying.patrol(), leadership.lost())
            work, patrol, lost = tasks = [asyncio.create_task(each) for each in runs]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not lost.done():
                    await (work if work.done() else patrol)
                    return
            finally:
                # What is cut off here can write nothing more, and whatever it has sent says what it was to replace.
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            self._metrics.set_leader(False)
            self._parts.report.forget_namespaces()

    async def _finish(self, acting: asyncio.Task[None], leading: asyncio.Task[None]) -> None:
        logger.info("stopping: what is under way is finished, nothing more is begun")
        self._parts.queue.shut_down()
        await asyncio.wait([acting], timeout=_FINISH_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._parts.events.drained(), _LAST_WORDS_SECONDS)
        acting.cancel()
        leading.cancel()
        await asyncio.wait([acting, leading])
        await self._parts.leadership.release()

    @staticmethod
    async def _end_kopf(kopf: asyncio.Task[None] | None, stop: asyncio.Event) -> None:
        stop.set()
        if kopf is not None:
            await asyncio.wait([kopf], timeout=_KOPF_SECONDS)

    def set_heartbeat(self, now: datetime) -> None:
        """Take a heartbeat, for /healthz and for the metrics: the worker's, or where it stands by the leadership's."""
        self._beat = now
        self._metrics.set_heartbeat(now)

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count a look at one namespace."""
        self._metrics.observe_reconcile(result, seconds)

    @staticmethod
    def _complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what asyncio has to say in one line: nobody can tell what a traceback of others would show."""
        error = context.get("exception")
        logger.warning("%s (%s)", context["message"], type(error).__name__ if error else "no exception")

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    async def _comes(self, awaited: Coroutine[None, None, None]) -> bool:
        """Wait for something or for the end; tells whether it came before the end."""
        waits = [asyncio.create_task(each) for each in (awaited, self._stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self._stop.is_set()

    async def _until(self, *events: asyncio.Event) -> None:
        for event in events:
            await self._comes(_set(event))

    async def _watch(self, stop: asyncio.Event) -> None:
        connection = self._connection
        registry = namespaces_kopf.registry(
            self._parts.inventory, observe_namespace, connection.access, connection.trace()
        )
        ready = asyncio.Event()
        operator = asyncio.create_task(namespaces_kopf.operate(registry, ready=ready, stop=stop))
        try:
            await self._until(ready)
            # Kopf has put its own handlers in the place of ours, and would stop before the worker is done.
            self._listen_to_signals()
            await operator
        except Exception:
            # Told to stop while it starts, it closes its connections under its own requests.
            if not self._stop.is_set():
                raise
        finally:
            operator.cancel()
            self._stop.set()

    async def _serve(self) -> None:
        await http_server.serve(
            host=self._settings.http_host,
            port=self._settings.http_port,
            healthy=self._trouble,
            ready=self._missing,
            metrics=self._metrics.render,
            content_type=CONTENT_TYPE,
            bound=lambda port: logger.info("serving /healthz, /readyz and /metrics on port %d", port),
        )

    def _trouble(self) -> str | None:
        age = now() - self._beat if self._beat else timedelta()
        return f"the worker has not come round for {age.total_seconds():.0f} s" if age > _STUCK_AFTER else None

    def _missing(self) -> str | None:
        parts = self._parts
        synced = {
            "Secrets": parts.secrets_synced,
            "Namespaces": parts.namespaces_synced,
            "ServiceAccounts": parts.accounts_synced,
        }
        waiting = [kind for kind, events in synced.items() if not all(event.is_set() for event in events)]
        return f"still listing {' and '.join(waiting)}" if waiting else None


async def _set(event: asyncio.Event) -> None:
    await event.wait()
