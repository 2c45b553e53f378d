"""The controller's metrics in a registry of their own; `domain.reporting.metric_families` defines them."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pullkeeper.domain.ecr.registry_probe import Verdict
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import TOKEN_REASONS
from pullkeeper.domain.iam.roles_anywhere import CertificateInfo
from pullkeeper.domain.reporting import metric_families as families
from pullkeeper.domain.reporting.metric_families import CACHED_RESOURCES, OPERATIONS, DroppedEvent, MetricFamily, Result
from pullkeeper.domain.reporting.state import STATUS_ONLY, State
from pullkeeper.domain.reporting.token_labels import Labels, TokenLabels
from pullkeeper.domain.secret.plan import Priority

CONTENT_TYPE = CONTENT_TYPE_LATEST

REVISION = "PULLKEEPER_REVISION"
"""Environment variable with the commit that the image was built from; set by the image build."""
_UNKNOWN = "unknown"


class Metrics:
    """Records and renders the metrics of one process.

    `per_namespace=False` replaces the series of single namespaces by one series of the soonest expiry. `timer` returns
    monotonic seconds.
    """

    def __init__(self, *, per_namespace: bool = True, timer: Callable[[], float] = time.monotonic) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the function has no annotations
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._per_namespace = per_namespace
        self._timer = timer
        self._states: dict[str, str] = {}
        self._expiries: dict[str, float] = {}
        self._token_labels = TokenLabels()
        build = self._gauge(families.BUILD_INFO)
        build.labels(_version(), os.environ.get(REVISION) or _UNKNOWN, platform.python_version()).set(1)
        self._create_metrics()
        self._initialise_label_sets()

    def _create_metrics(self) -> None:
        self._token_requests = self._counter(families.TOKEN_REQUESTS)
        self._token_errors = self._counter(families.TOKEN_ERRORS)
        self._token_seconds = self._histogram(families.TOKEN_SECONDS)
        self._token_expiry = self._gauge(families.TOKEN_EXPIRY)
        self._token_success = self._gauge(families.TOKEN_SUCCESS)
        self._certificate_expiry = self._gauge(families.CERTIFICATE_EXPIRY)
        self._certificate_start = self._gauge(families.CERTIFICATE_START)
        self._certificates: dict[str, Callable[[], CertificateInfo | None]] = {}
        self._probes = self._counter(families.REGISTRY_PROBES)
        self._writes = self._counter(families.SECRET_WRITES)
        self._registry.register(_SecretExpiries(self._expiries, per_namespace=self._per_namespace))
        self._namespaces = self._gauge(families.NAMESPACES)
        self._time_to_secret = self._histogram(families.TIME_TO_SECRET)
        self._reconciles = self._counter(families.RECONCILES)
        self._reconcile_seconds = self._histogram(families.RECONCILE_SECONDS)
        self._depth = self._gauge(families.WORKQUEUE_DEPTH)
        self._pending_opt_outs = self._gauge(families.PENDING_OPT_OUTS)
        self._rest_client_requests = self._counter(families.REST_CLIENT_REQUESTS)
        self._cache_differences = self._counter(families.CACHE_DIFFERENCES)
        self._history_resets = self._counter(families.HISTORY_RESETS)
        self._events_dropped = self._counter(families.EVENTS_DROPPED)
        self._aws_requests = self._counter(families.AWS_REQUESTS)
        self._permission_denied = self._gauge(families.PERMISSION_DENIED)
        self._reload_successful = self._gauge(families.CONFIG_LAST_RELOAD_SUCCESSFUL)
        self._heartbeat = self._gauge(families.HEARTBEAT)
        self._leader = self._gauge(families.LEADER)

    def _counter(self, family: MetricFamily) -> Counter:
        return Counter(family.name, family.documentation, family.labels, registry=self._registry)

    def _gauge(self, family: MetricFamily) -> Gauge:
        return Gauge(family.name, family.documentation, family.labels, registry=self._registry)

    def _histogram(self, family: MetricFamily) -> Histogram:
        return Histogram(
            family.name, family.documentation, family.labels, buckets=family.buckets, registry=self._registry
        )

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._remove_unused()
        self._set_certificates()
        return generate_latest(self._registry)

    def set_workqueue_depth(self, depth: Callable[[Priority], int]) -> None:
        """Set the function that returns the queue's depth at each scrape."""
        for priority in Priority:
            self._depth.labels(priority.value).set_function(partial(depth, priority))

    def set_permission_denied(self, denied: Callable[[], bool]) -> None:
        """Set the function that returns, at each scrape, whether a right is missing."""
        self._permission_denied.set_function(denied)

    def set_pending_opt_outs(self, count: Callable[[], int]) -> None:
        """Set the function that returns the number of opt-ins that the settings have lost, at each scrape."""
        self._pending_opt_outs.set_function(count)

    def set_client_certificate(self, identity: str, read: Callable[[], CertificateInfo | None]) -> None:
        """Set the function that returns an identity's certificate, once for each scrape; None if it cannot be read.

        What was read for a session would be old on a replica that is not the leader.
        """
        self._certificates[identity] = read

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Record a request for a token; `reason` is why it failed, None if it succeeded."""
        labels = self._labels(scope, issued=reason is None)
        self._token_requests.labels(*labels, Result.SUCCESS if reason is None else Result.ERROR).inc()
        self._token_seconds.labels(labels[1]).observe(seconds)
        if reason is not None:
            self._token_errors.labels(*labels, reason).inc()

    def record_token(self, scope: TokenScope, issued_at: datetime, expires_at: datetime) -> None:
        """Record a fetched token, unless its scope has no series of its own."""
        labels = self._labels(scope, issued=True)
        if labels != (scope.identity.name, scope.label):
            return
        self._token_expiry.labels(*labels).set(expires_at.timestamp())
        self._token_success.labels(*labels).set(issued_at.timestamp())

    def record_registry_probe(self, result: str) -> None:
        """Record the result of trying a token at a registry."""
        self._probes.labels(result).inc()

    def record_kube_request(self, verb: str, resource: str, code: int) -> None:
        """Record a request to the API server; code 0 means no response."""
        self._rest_client_requests.labels(verb, resource, str(code)).inc()

    def record_cache_differences(self, resource: str, count: int) -> None:
        """Record differences between a listing and a cache of which no watch has told."""
        self._cache_differences.labels(resource).inc(count)

    def record_history_reset(self) -> None:
        """Record that resourceVersions went back."""
        self._history_resets.inc()

    def record_event_dropped(self, reason: str) -> None:
        """Record an Event that was not posted."""
        self._events_dropped.labels(reason).inc()

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Record one attempt of a request to AWS; may be called from any thread. Code 0 means no response."""
        self._aws_requests.labels(service, operation, str(code)).inc()

    def record_secret_write(self, operation: str, result: str) -> None:
        """Record a write of a pull Secret."""
        self._writes.labels(operation, result).inc()

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """Set a namespace's state and the expiry of its pull Secret; None removes either."""
        if state != self._states.get(namespace):
            self._set_state(namespace, state)
        self._set_expiry(namespace, expires_at)

    def _set_state(self, namespace: str, state: str | None) -> None:
        before = self._states.pop(namespace, None)
        if before is not None:
            self._namespaces.labels(before).dec()
        if state is not None:
            self._states[namespace] = state
            self._namespaces.labels(state).inc()

    def forget_namespaces(self) -> None:
        """Remove all namespaces: another replica is the leader now."""
        for namespace in {*self._states, *self._expiries}:
            self.set_namespace_state(namespace, None, None)

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """Observe the time from a namespace's request to its first pull Secret."""
        self._time_to_secret.observe(wait.total_seconds())

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Observe a reconciliation of one namespace."""
        self._reconciles.labels(result).inc()
        self._reconcile_seconds.observe(seconds)

    def set_config_last_reload_successful(self, valid: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Set whether the settings file as it is now is valid."""
        self._reload_successful.set(valid)

    def set_leader(self, leads: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Set whether this replica is the leader."""
        self._leader.set(leads)

    def set_heartbeat(self, now: datetime) -> None:
        """Set the time of the last iteration of the worker loop."""
        self._heartbeat.set(now.timestamp())

    def _set_expiry(self, namespace: str, expires_at: datetime | None) -> None:
        if expires_at is not None:
            self._expiries[namespace] = expires_at.timestamp()
        else:
            self._expiries.pop(namespace, None)

    def _set_certificates(self) -> None:
        for identity, read in self._certificates.items():
            found = read()
            self._certificate_start.labels(identity).set(found.not_before.timestamp() if found else 0)
            self._certificate_expiry.labels(identity).set(found.not_after.timestamp() if found else 0)

    def _labels(self, scope: TokenScope, *, issued: bool) -> Labels:
        labels, is_new = self._token_labels.of(scope, self._timer(), issued=issued)
        if is_new:
            self._initialise_scope(labels)
        return labels

    def _initialise_scope(self, labels: Labels) -> None:
        for result in Result:
            self._token_requests.labels(*labels, result)
        for reason in TOKEN_REASONS:
            self._token_errors.labels(*labels, reason)

    def _remove_unused(self) -> None:
        """Remove the series of identities that are no longer in use."""
        for labels in self._token_labels.remove_unused(self._timer()):
            series = dict(zip(families.TOKEN_EXPIRY.labels, labels, strict=True))
            for metric in (self._token_requests, self._token_errors, self._token_expiry, self._token_success):
                metric.remove_by_labels(series)

    def _initialise_label_sets(self) -> None:
        """Initialise every closed label set with 0, so that a first failure shows as an increase."""
        self._leader.set(1)
        for state in State:
            if state not in STATUS_ONLY:
                self._namespaces.labels(state).set(0)
        for verdict in Verdict:
            self._probes.labels(verdict)
        for resource in CACHED_RESOURCES:
            self._cache_differences.labels(resource)
        for reason in DroppedEvent:
            self._events_dropped.labels(reason)
        for result in Result:
            self._reconciles.labels(result)
            for operation in OPERATIONS:
                self._writes.labels(operation, result)


class _SecretExpiries(Collector):
    """The expiry of each pull Secret, made into series at each scrape: kept, each would take 0.7 KiB.

    `per_namespace=False` replaces them by one series of the soonest expiry, so that alerts still work.
    """

    def __init__(self, expiries: Mapping[str, float], *, per_namespace: bool) -> None:
        self._expiries = expiries
        self._per_namespace = per_namespace

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the family, as it is now."""
        definition = families.SECRET_EXPIRY
        family = GaugeMetricFamily(definition.name, definition.documentation, labels=definition.labels)
        for namespace, expiry in (self._expiries if self._per_namespace else self._soonest()).items():
            family.add_metric([namespace], expiry)
        yield family

    def _soonest(self) -> Mapping[str, float]:
        # What somebody has written into a Secret may be no time at all; it must not hide the others.
        plausible = [expiry for expiry in self._expiries.values() if expiry > 0]
        return {"": min(plausible, default=0)} if self._expiries else {}


def _version() -> str:
    try:
        return version("pullkeeper")
    except PackageNotFoundError:
        return _UNKNOWN
