"""The life of the process: what starts when, what only a leader runs, and the orderly shutdown."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from pullkeeper.adapters.kubernetes.client import connect
from pullkeeper.adapters.prometheus import Metrics
from pullkeeper.app import log_setup
from pullkeeper.app.adapters import NamespaceWatch, real_adapters
from pullkeeper.app.config_loader import Config
from pullkeeper.app.container import Container, Runnable
from pullkeeper.domain.views.scope import limited_to

logger = logging.getLogger(__name__)

_FINISH_SECONDS = 1.0
"""Shutdown waits this long for reconciliations in progress; then another replica may take over."""
_DRAIN_SECONDS = 0.5
"""Shutdown waits this long for queued Events to be sent."""
_NAMESPACE_WATCH_SECONDS = 1.0
"""Shutdown waits this long for the watch of Namespaces to end."""

HandleSignals = Callable[[Callable[[], None]], None]
"""Has this function called when the process is told to stop."""


async def run(config: Config, *, kubeconfig: str | None) -> None:
    """Run the controller until SIGTERM or SIGINT. Raises FailureError or OSError if it cannot start."""
    settings = config.settings
    log_setup.configure_logging(form=settings.log_format, level=settings.log_level)
    if settings.watch_namespaces:
        logger.info("%s", limited_to(settings.watch_namespaces))
    metrics = Metrics(per_namespace=settings.per_namespace_metrics)
    client = await connect(kubeconfig=kubeconfig, record_request=metrics.record_kube_request)
    try:
        container = Container(config, real_adapters(settings, client, metrics))
        await Manager(container, handle_signals=on_termination).run()
    finally:
        await client.close()
    logger.info("stopped")


def on_termination(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT, in place of any handler that is set."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


class Manager:
    """Runs a container's Runnables in one TaskGroup, from start to orderly shutdown."""

    def __init__(self, container: Container, *, handle_signals: HandleSignals) -> None:
        self._container = container
        self._handle_signals = handle_signals
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Begin the shutdown; `run` returns when it is complete."""
        self._stopped.set()

    async def run(self) -> None:
        """Run until stopped. A Runnable that raises ends the process with it, so that Kubernetes restarts it."""
        asyncio.get_running_loop().set_exception_handler(_log_loop_error)
        self._handle_signals(self.stop)
        container, watching = self._container, None
        async with asyncio.TaskGroup() as group:
            tasks = _start(group, container.runnables)
            await self._unless_stopped(container.secrets_listed())
            electing = group.create_task(container.leader_elector.run())
            leading = group.create_task(self._lead())
            if not self._stopped.is_set():
                tasks += _start(group, container.runnables_after_sync)
                if container.namespace_watch:
                    watching = group.create_task(self._watch_namespaces(container.namespace_watch))
            await self._stopped.wait()
            await self._finish(leading, electing)
            await self._end_watch(watching)
            for task in filter(None, (leading, electing, watching, *tasks)):
                task.cancel()

    async def _lead(self) -> None:
        """Run the leader's Runnables whenever this replica leads, until one of them ends."""
        container = self._container
        elector = container.leader_elector
        while await self._unless_stopped(elector.gained()):
            container.start_leading()
            lost = asyncio.create_task(elector.lost())
            tasks = [asyncio.create_task(each.run()) for each in container.leader_runnables]
            try:
                await asyncio.wait([lost, *tasks], return_when=asyncio.FIRST_COMPLETED)
                if not lost.done():
                    await next(task for task in tasks if task.done())
                    return
            finally:
                # A write that is cut off here is refused or names the version that it replaces.
                for task in (lost, *tasks):
                    task.cancel()
                await asyncio.wait([lost, *tasks])
            container.stop_leading()

    async def _finish(self, leading: asyncio.Task[None], electing: asyncio.Task[None]) -> None:
        """Finish reconciliations in progress, send the last Events, then give up the Lease."""
        logger.info("stopping: finishing reconciliations in progress, starting no more")
        self._container.queue.shut_down()
        await asyncio.wait([leading], timeout=_FINISH_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._container.events.drained()
        leading.cancel()
        electing.cancel()
        await asyncio.wait([leading, electing])
        await self._container.leader_elector.release()

    async def _end_watch(self, watching: asyncio.Task[None] | None) -> None:
        if watching is not None and self._container.namespace_watch:
            self._container.namespace_watch.stop()
            await asyncio.wait([watching], timeout=_NAMESPACE_WATCH_SECONDS)

    async def _watch_namespaces(self, watch: NamespaceWatch) -> None:
        """Run the watch; if it ends by itself, stop the process."""
        try:
            # kopf replaces our signal handlers with its own, and would stop before the worker has finished.
            await watch.run(lambda: self._handle_signals(self.stop))
        finally:
            self.stop()

    async def _unless_stopped(self, awaited: Coroutine[Any, Any, object]) -> bool:
        """Wait for something or for the shutdown; returns False if the process is stopping."""
        waits = [asyncio.create_task(each) for each in (awaited, self._stopped.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self._stopped.is_set()


def _start(group: asyncio.TaskGroup, runnables: Iterable[Runnable]) -> list[asyncio.Task[None]]:
    return [group.create_task(runnable.run()) for runnable in runnables]


def _log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log asyncio's complaint in one line, without a traceback: a foreign one may show anything."""
    error = context.get("exception")
    logger.warning("%s (%s)", context["message"], type(error).__name__ if error else "no exception")
