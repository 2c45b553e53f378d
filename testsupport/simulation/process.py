"""One life of the controller: the real container and manager, with simulated adapters."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from pullkeeper.adapters.kubernetes.namespaces_kopf import NamespaceHandler
from pullkeeper.app import container
from pullkeeper.app.adapters import Adapters, NamespaceWatch
from pullkeeper.app.config_loader import Config
from pullkeeper.app.container import Container
from pullkeeper.app.manager import Manager
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult
from pullkeeper.domain.secret.plan import Priority
from testsupport.simulation.api_server import ApiServer
from testsupport.simulation.aws import Aws
from testsupport.virtual_time import elapsed, now


@dataclass(kw_only=True, slots=True)
class RecordedMetrics:
    """The controller's metrics, as far as tests look at them."""

    states: dict[str, str] = field(default_factory=dict)
    reconciled_at: list[float] = field(default_factory=list)
    """When the controller reconciled any namespace, in seconds of the run."""

    def record_secret_write(self, operation: str, result: str) -> None:
        """Ignore a write: the API server records them."""

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:  # noqa: ARG002 -- the protocol's
        """Record the state of a namespace."""
        if state is None:
            self.states.pop(namespace, None)
        else:
            self.states[namespace] = str(state)

    def forget_namespaces(self) -> None:
        """Drop the states of all namespaces."""
        self.states.clear()

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """Ignore how long a first Secret took."""

    def set_heartbeat(self, now: datetime) -> None:
        """Ignore the worker's heartbeat."""

    def observe_reconcile(self, result: str, seconds: float) -> None:  # noqa: ARG002 -- the protocol's
        """Record the time of a reconciliation."""
        self.reconciled_at.append(elapsed())

    def set_leader(self, leads: bool) -> None:  # noqa: FBT001 -- the protocol's
        """Ignore whether this replica leads."""

    def record_registry_probe(self, result: str) -> None:
        """Ignore a probe."""

    def set_config_last_reload_successful(self, valid: bool) -> None:  # noqa: FBT001 -- the protocol's
        """Ignore whether the settings file is valid: there is none."""

    def set_workqueue_depth(self, depth: Callable[[Priority], int]) -> None:
        """Ignore the queue's depth."""


class Process:
    """The controller from its start to the instant when it is killed."""

    def __init__(
        self,
        server: ApiServer,
        aws: Aws,
        watch_namespaces: Callable[[NamespaceHandler], NamespaceWatch],
        rng: random.Random,
        *,
        settings: Settings,
        mutation: Mapping[str, object],
    ) -> None:
        """Build the container; `mutation` replaces classes in its module, by their names there."""
        self.metrics = RecordedMetrics()
        adapters = Adapters(
            kube_client=server,
            token_source=aws,
            registry_probe=lambda _: _accept,
            watch_namespaces=watch_namespaces,
            serve_http=_serve_nothing,
            metrics=self.metrics,
            clock=now,
            uptime=elapsed,
            rng=rng,
            instance="simulation",
            holder_id="simulation",
        )
        with ExitStack() as stack:
            for name, broken in mutation.items():
                stack.enter_context(mock.patch.object(container, name, broken))
            self.container = Container(Config(settings=settings), adapters)
        self._manager = Manager(self.container, handle_signals=lambda _: None)

    async def run(self) -> None:
        """Run until killed."""
        await self._manager.run()

    def shown(self) -> str:
        """Return everything that a debugger or a careless log line could show of the controller's memory."""
        return "\n".join(repr(fields) for _, fields in self.memory())

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


def _several(value: object) -> tuple[object, ...] | list[object]:
    return value if isinstance(value, tuple | list) else (value,)


def _is_ours(value: object) -> bool:
    """Whether this is an object of the controller with a memory of its own, be it a mutant."""
    return hasattr(value, "__dict__") and any(each.__module__.startswith("pullkeeper.") for each in type(value).__mro__)


async def _accept(host: RegistryHost, auth: Password) -> ProbeResult:
    raise NotImplementedError("no run verifies tokens")


async def _serve_nothing(*, healthy: Callable[[], str | None], ready: Callable[[], str | None]) -> None:  # noqa: ARG001 -- the protocol's
    await asyncio.Event().wait()
