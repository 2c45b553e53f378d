"""What the container needs from outside: the API server, AWS, registries, clocks, metrics and the health port."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import uuid4

from pullkeeper.adapters import http_server, prometheus
from pullkeeper.adapters.aws import Ecr
from pullkeeper.adapters.kubernetes import namespaces_kopf
from pullkeeper.adapters.kubernetes.client import ApiClient, KubeClient
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountTokens
from pullkeeper.adapters.kubernetes.session import instance
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile import status_reporter, worker
from pullkeeper.tokens import token_cache
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_verifier import Probe

logger = logging.getLogger(__name__)


class KubernetesClient(ApiClient, Protocol):
    """A client of the API server whose writes can be bound to leadership."""

    def leader_gated(self, is_leader: Callable[[], bool]) -> ApiClient:
        """Return a client on the same session whose writes raise NotLeadingError unless this replica leads."""
        ...


class TokenSource(token_cache.TokenSource, Protocol):
    """AWS."""

    async def log_credential_source(self) -> None:
        """Log which credentials the controller uses; never fails."""

    async def principal(self, requester: Requester, identity: Identity) -> str:
        """Return the principal behind an identity of the controller's, "" if it cannot be told soon; never fails."""
        ...

    def on_principal(self, callback: Callable[[str, str], None]) -> None:
        """Call this whenever another principal is known to be behind an identity of the controller's than before.

        It is called with the identity's name and the principal.
        """


class Metrics(status_reporter.Metrics, worker.Metrics, Protocol):
    """Everything that the controller counts about itself."""

    def set_leader(self, leads: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Set whether this replica leads."""

    def record_registry_probe(self, result: str) -> None:
        """Count a token that was tried at a registry."""

    def set_config_last_reload_successful(self, valid: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Set whether the settings file was readable when it was last loaded."""

    def record_cache_differences(self, resource: str, count: int) -> None:
        """Count differences between a listing and a cache of which no watch has told."""

    def record_history_reset(self) -> None:
        """Count that resourceVersions went back."""

    def record_event_dropped(self, reason: str) -> None:
        """Count an Event that was not posted."""

    def set_permission_denied(self, denied: Callable[[], bool]) -> None:
        """Take from this function, at each scrape, whether a right is missing."""

    def set_pending_opt_outs(self, count: Callable[[], int]) -> None:
        """Take the number of opt-ins that the settings have lost from this function at each scrape."""

    def set_workqueue_depth(self, depth: Callable[[Priority], int]) -> None:
        """Take the queue's depth from this function at each scrape."""


class NamespaceWatch(Protocol):
    """A watch of all Namespaces."""

    async def run(self, on_start: Callable[[], None]) -> None:
        """Hand each event to the handler, until stopped; call `on_start` whenever the watch has been set up."""

    @property
    def was_open(self) -> bool:
        """Whether it has told of changes yet: before, it lists what there is."""

    def restart(self) -> None:
        """List and watch anew: no version that was told before can be relied on."""

    def stop(self) -> None:
        """Let `run` end in an orderly way."""


class HttpServer(Protocol):
    """Serves /healthz, /readyz and /metrics."""

    async def __call__(self, *, healthy: Callable[[], str | None], ready: Callable[[], str | None]) -> None:
        """Serve until cancelled; a probe returns what is wrong, or None. Raises OSError if the port is taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapters:
    """One controller's outside world; the simulation has one of its own."""

    kube_client: KubernetesClient
    token_source: TokenSource
    registry_probe: Callable[[str], Probe]
    """Makes a probe that trusts the CAs in this file; raises OSError. Only called if `verify` is on."""
    watch_namespaces: Callable[[namespaces_kopf.NamespaceHandler, Callable[[], None]], NamespaceWatch]
    """Makes the cluster-wide watch of Namespaces; it calls the function whenever it goes on after a gap.

    Not called if `watchNamespaces` names some.
    """
    serve_http: HttpServer
    metrics: Metrics
    clock: Callable[[], datetime]
    uptime: Callable[[], float]
    """Seconds that also pass while the process is frozen or the machine sleeps: the lease is measured by them."""
    rng: random.Random
    instance: str
    """This replica's name, in Events."""
    holder_id: str
    """This process's name, in the Lease."""


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class _KopfNamespaceWatch:
    """kopf's watch of all Namespaces."""

    def __init__(
        self, client: KubeClient, handler: namespaces_kopf.NamespaceHandler, on_reopened: Callable[[], None]
    ) -> None:
        self._stopped, self._restarted = asyncio.Event(), asyncio.Event()
        self._disturbance = namespaces_kopf.Disturbance()
        self._new_registry = partial(
            namespaces_kopf.registry,
            handler,
            observe_namespace,
            client,
            restart=self._restarted,
            on_open=self._note_open,
            disturbance=self._disturbance,
        )
        self._on_reopened = on_reopened
        self.was_open = False

    async def run(self, on_start: Callable[[], None]) -> None:
        await namespaces_kopf.operate(
            self._new_registry,
            on_start=on_start,
            disturbance=self._disturbance,
            stop=self._stopped,
            restart=self._restarted,
        )

    def restart(self) -> None:
        self._restarted.set()

    def stop(self) -> None:
        self._stopped.set()

    def _note_open(self) -> None:
        if self.was_open:
            self._on_reopened()
        self.was_open = True


def _registry_probe(ca_file: str) -> Probe:
    return RegistryProbe(ca_file=ca_file).probe


def _certified(settings: Settings) -> Iterator[tuple[str, RolesAnywhere]]:
    if settings.roles_anywhere:
        yield CONTROLLER.name, settings.roles_anywhere
    for each in settings.policy.identities:
        if isinstance(each.source, RolesAnywhere):
            yield identity.own(each.name).name, each.source


def _show_certificates(settings: Settings, metrics: prometheus.Metrics) -> None:
    for name, found in _certified(settings):
        # Not at the top: it imports cryptography, which takes memory that most controllers never need.
        from pullkeeper.adapters.aws.client_certificate import read_info_if_possible  # noqa: PLC0415 -- as said above

        metrics.set_client_certificate(name, partial(read_info_if_possible, found.certificate_file))


def real_adapters(settings: Settings, kube_client: KubeClient, metrics: prometheus.Metrics) -> Adapters:
    """Connect the container to the cluster that `kube_client` is logged in to, and to AWS."""
    _show_certificates(settings, metrics)
    return Adapters(
        kube_client=kube_client,
        token_source=Ecr(
            environment=os.environ,
            registries=settings.policy.registries,
            allow_node_instance_role=settings.allow_node_instance_role,
            roles_anywhere=settings.roles_anywhere,
            identities=settings.policy.identities,
            clock=utc_now,
            metrics=metrics,
            service_account_token=ServiceAccountTokens(kube_client).request_token,
        ),
        registry_probe=_registry_probe,
        watch_namespaces=partial(_KopfNamespaceWatch, kube_client),
        serve_http=partial(
            http_server.serve,
            host=settings.http_host,
            port=settings.http_port,
            metrics=metrics.render,
            content_type=prometheus.CONTENT_TYPE,
            bound=lambda port: logger.info("serving /healthz, /readyz and /metrics on port %d", port),
        ),
        metrics=metrics,
        clock=utc_now,
        uptime=partial(time.clock_gettime, time.CLOCK_BOOTTIME),
        rng=random.Random(),  # noqa: S311 -- jitter, not a secret
        instance=instance(),
        # A container that restarts keeps the pod's name but is another holder.
        holder_id=f"{instance()}_{uuid4().hex[:8]}",
    )
