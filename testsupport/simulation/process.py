"""One life of the controller: the real container and manager, with simulated adapters."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from unittest import mock

from pullkeeper.adapters import prometheus
from pullkeeper.adapters.aws import Ecr
from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountTokens
from pullkeeper.app import container
from pullkeeper.app.adapters import Adapters, KubernetesClient, NamespaceWatch
from pullkeeper.app.config_loader import Config
from pullkeeper.app.container import Container
from pullkeeper.app.manager import Manager
from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.geography import HOME_REGION
from testsupport.simulation.record import Record, Usage
from testsupport.simulation.registries import Registries
from testsupport.virtual_time import elapsed, now

_OWN = {"reconciled_at"}
"""What these metrics keep for tests, and the controller's do not."""


class RecordedMetrics(prometheus.Metrics):
    """The controller's metrics, and what tests look at without a scrape."""

    def __init__(self, record_state: Callable[[str, float, str], None]) -> None:
        super().__init__(timer=elapsed)
        self._record_state = record_state
        self.states: dict[str, str] = {}
        self.reconciled_at: list[float] = []
        """When the controller reconciled any namespace, in seconds of the run."""

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """Record the state of a namespace."""
        super().set_namespace_state(namespace, state, expires_at)
        if state is not None and self.states.get(namespace) != str(state):
            self._record_state(namespace, elapsed(), str(state))
        if state is None:
            self.states.pop(namespace, None)
        else:
            self.states[namespace] = str(state)

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Record the time of a reconciliation."""
        super().observe_reconcile(result, seconds)
        self.reconciled_at.append(elapsed())


class Process:
    """The controller from its start to the instant when it is killed."""

    def __init__(
        self,
        server: KubernetesClient,
        watch_namespaces: Callable[[NamespaceHandler, Callable[[], None]], NamespaceWatch],
        rng: random.Random,
        *,
        settings: Settings,
        mutation: Mapping[str, object],
        registries: Registries,
        record: Record,
        holder_id: str = "simulation",
        config: Config | None = None,
    ) -> None:
        """Build the container; `mutation` replaces classes in its module, by their names there.

        `config` stands for the settings where they have a file.
        """
        self.metrics = RecordedMetrics(record.add_state)
        adapters = Adapters(
            kube_client=server,
            token_source=Ecr(
                environment={"AWS_REGION": HOME_REGION},
                registries=settings.policy.registries,
                identities=settings.policy.identities,
                allow_node_instance_role=False,
                clock=now,
                metrics=self.metrics,
                service_account_token=ServiceAccountTokens(server).request_token,
            ),
            registry_probe=lambda _: registries.probe,
            watch_namespaces=watch_namespaces,
            serve_http=_serve_nothing,
            metrics=self.metrics,
            clock=now,
            uptime=elapsed,
            rng=rng,
            instance="simulation",
            holder_id=holder_id,
        )
        with ExitStack() as stack:
            for name, broken in mutation.items():
                stack.enter_context(mock.patch.object(container, name, broken))
            self.container = Container(config or Config(settings=settings), adapters)
        self._manager = Manager(self.container, handle_signals=lambda _: None)

    async def run(self) -> None:
        """Run until killed or stopped."""
        await self._manager.run()

    def stop(self) -> None:
        """Begin the orderly shutdown, as SIGTERM does."""
        self._manager.stop()

    def shown(self) -> str:
        """Return everything that a debugger or a careless log line could show of the controller's memory."""
        return "\n".join(repr(fields) for _, fields in self.memory())

    def usage(self) -> Usage:
        """Measure what the controller holds now."""
        items = {
            f"{name}.{field}": _count(value)
            for name, fields in self.memory()
            for field, value in fields.items()
            if isinstance(value, dict | set | list) and field not in _OWN
        }
        scrape = self.metrics.render().decode().splitlines()
        series = [line for line in scrape if not line.startswith("#")]
        return Usage(at=elapsed(), items=items, series=len(series), longest_line=max(map(len, series)))

    def memory(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the fields of every object of the controller, but for functions, with the name of its class."""
        seen: set[int] = set()
        waiting: list[object] = [self.container]
        while waiting:
            part = waiting.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            fields = {name: value for name, value in vars(part).items() if not callable(value)}
            yield type(part).__name__, fields
            for value in fields.values():
                waiting += filter(_is_ours, value.values() if isinstance(value, dict) else _several(value))


def _count(value: dict[object, object] | set[object] | list[object]) -> int:
    """Count items, also those of the lists in a dictionary."""
    inner = [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else []
    return max(len(value), sum(map(len, inner)))


def _several(value: object) -> tuple[object, ...] | list[object]:
    return value if isinstance(value, tuple | list) else (value,)


def _is_ours(value: object) -> bool:
    """Whether this is an object of the controller with a memory of its own, be it a mutant."""
    return hasattr(value, "__dict__") and any(each.__module__.startswith("pullkeeper.") for each in type(value).__mro__)


async def _serve_nothing(*, healthy: Callable[[], str | None], ready: Callable[[], str | None]) -> None:  # noqa: ARG001 -- the protocol's
    await asyncio.Event().wait()
