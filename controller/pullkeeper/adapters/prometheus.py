"""The metrics of the process, as Prometheus scrapes them; `core.metric_families` says what they are."""

import os
import platform
import time
from collections.abc import Callable
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

from pullkeeper.domain.ecr.registry_probe import Verdict
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import TOKEN_REASONS
from pullkeeper.domain.reporting import metric_families as families
from pullkeeper.domain.reporting.metric_families import OPERATIONS, MetricFamily, Result
from pullkeeper.domain.reporting.state import STATUS_ONLY, State
from pullkeeper.domain.secret.plan import Priority

CONTENT_TYPE = CONTENT_TYPE_LATEST

REVISION = "PULLKEEPER_REVISION"
"""The variable that names the commit which the image was built from: its build sets it, and nothing else knows."""
_UNKNOWN = "unknown"
_UNUSED_AFTER = 24 * 3600.0
"""Seconds: a token is due after half a day at the latest, so what nobody has asked for since is used no more."""


class Metrics:
    """The controller's own registry of metrics."""

    def __init__(self, *, per_namespace: bool = True, timer: Callable[[], float] = time.monotonic) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types there
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._per_namespace = per_namespace
        self._timer = timer
        self._states: dict[str, str] = {}
        self._expiries: dict[str, float] = {}
        self._asked: dict[tuple[str, str], float] = {}
        """When a token was last asked for, by identity and region."""
        build = self._gauge(families.BUILD_INFO)
        build.labels(_version(), os.environ.get(REVISION) or _UNKNOWN, platform.python_version()).set(1)
        self._make_metrics()
        self._start_label_sets()

    def _make_metrics(self) -> None:
        self._requests = self._counter(families.TOKEN_REQUESTS)
        self._errors = self._counter(families.TOKEN_ERRORS)
        self._aws_seconds = self._histogram(families.TOKEN_SECONDS)
        self._token_expiry = self._gauge(families.TOKEN_EXPIRY)
        self._token_success = self._gauge(families.TOKEN_SUCCESS)
        self._probes = self._counter(families.REGISTRY_PROBES)
        self._writes = self._counter(families.SECRET_WRITES)
        self._secret_expiry = self._gauge(families.SECRET_EXPIRY)
        self._namespaces = self._gauge(families.NAMESPACES)
        self._first_secret = self._histogram(families.TIME_TO_SECRET)
        self._reconciled = self._counter(families.RECONCILES)
        self._reconcile_seconds = self._histogram(families.RECONCILE_SECONDS)
        self._depth = self._gauge(families.WORKQUEUE_DEPTH)
        self._kube = self._counter(families.REST_CLIENT_REQUESTS)
        self._aws = self._counter(families.AWS_REQUESTS)
        self._settings_valid = self._gauge(families.CONFIG_LAST_RELOAD_SUCCESSFUL)
        self._heartbeat = self._gauge(families.HEARTBEAT)
        self._leader = self._gauge(families.LEADER)

    def _counter(self, family: MetricFamily) -> Counter:
        return Counter(family.name, family.text, family.labels, registry=self._registry)

    def _gauge(self, family: MetricFamily) -> Gauge:
        return Gauge(family.name, family.text, family.labels, registry=self._registry)

    def _histogram(self, family: MetricFamily) -> Histogram:
        return Histogram(family.name, family.text, family.labels, buckets=family.buckets, registry=self._registry)

    def render(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        self._drop_unused()
        if not self._per_namespace:
            self._show_soonest()
        return generate_latest(self._registry)

    def set_workqueue_depth(self, depth: Callable[[Priority], int]) -> None:
        """Ask for the queue's depth at each scrape."""
        for priority in Priority:
            self._depth.labels(priority.value).set_function(partial(depth, priority))

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Count one question to ECR; `reason` is why it failed, None where it did not."""
        labels = (scope.identity.name, scope.label)
        if labels not in self._asked:
            self._start_scope(labels)
        self._asked[labels] = self._timer()
        self._requests.labels(*labels, Result.SUCCESS if reason is None else Result.ERROR).inc()
        self._aws_seconds.labels(scope.label).observe(seconds)
        if reason is not None:
            self._errors.labels(*labels, reason).inc()

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Note a token that was had."""
        labels = (scope.identity.name, scope.label)
        self._token_expiry.labels(*labels).set(expires_at.timestamp())
        self._token_success.labels(*labels).set(now.timestamp())

    def record_registry_probe(self, result: str) -> None:
        """Count a token that was tried at a registry."""
        self._probes.labels(result).inc()

    def record_kube_request(self, verb: str, resource: str, code: int) -> None:
        """Count one request to the API server."""
        self._kube.labels(verb, resource, str(code)).inc()

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Count one try of a request to AWS; it is called from threads."""
        self._aws.labels(service, operation, str(code)).inc()

    def record_secret_write(self, operation: str, result: str) -> None:
        """Count a write of a Secret."""
        self._writes.labels(operation, result).inc()

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """Note how a namespace stands; None takes it out of the count."""
        before = self._states.pop(namespace, None)
        if before is not None:
            self._namespaces.labels(before).dec()
        if state is not None:
            self._states[namespace] = state
            self._namespaces.labels(state).inc()
        self._note_expiry(namespace, expires_at)

    def forget_namespaces(self) -> None:
        """Drop all that was said of single namespaces: another replica tells it now."""
        for namespace in {*self._states, *self._expiries}:
            self.set_namespace_state(namespace, None, None)

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """Note how long a namespace waited for its first Secret."""
        self._first_secret.observe(wait.total_seconds())

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count a look at one namespace."""
        self._reconciled.labels(result).inc()
        self._reconcile_seconds.observe(seconds)

    def set_config_last_reload_successful(self, valid: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Note whether the settings file can be read as it is now."""
        self._settings_valid.set(valid)

    def set_leader(self, leads: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Note whether this replica is the one that acts."""
        self._leader.set(leads)

    def set_heartbeat(self, now: datetime) -> None:
        """Note that the worker has come round."""
        self._heartbeat.set(now.timestamp())

    def _note_expiry(self, namespace: str, expires_at: datetime | None) -> None:
        if expires_at is not None:
            self._expiries[namespace] = expires_at.timestamp()
            if self._per_namespace:
                self._secret_expiry.labels(namespace).set(expires_at.timestamp())
        elif self._expiries.pop(namespace, None) is not None and self._per_namespace:
            self._secret_expiry.remove(namespace)

    def _show_soonest(self) -> None:
        """Leave one series where there is none for each namespace, so that the alerts hold there too."""
        self._secret_expiry.clear()
        if self._expiries:
            self._secret_expiry.labels("").set(min(self._expiries.values()))

    def _start_scope(self, labels: tuple[str, str]) -> None:
        for result in Result:
            self._requests.labels(*labels, result)
        for reason in TOKEN_REASONS:
            self._errors.labels(*labels, reason)

    def _drop_unused(self) -> None:
        """Take out the series of identities and regions that nobody uses any more: they would look stale for ever."""
        now = self._timer()
        for labels in [each for each, asked in self._asked.items() if now - asked > _UNUSED_AFTER]:
            del self._asked[labels]
            which = dict(zip(families.TOKEN_EXPIRY.labels, labels, strict=True))
            for metric in (self._requests, self._errors, self._token_expiry, self._token_success):
                metric.remove_by_labels(which)

    def _start_label_sets(self) -> None:
        """Let every closed label set start at 0, so that a first failure shows as an increase."""
        self._leader.set(1)
        for state in State:
            if state not in STATUS_ONLY:
                self._namespaces.labels(state).set(0)
        for verdict in Verdict:
            self._probes.labels(verdict)
        for result in Result:
            self._reconciled.labels(result)
            for operation in OPERATIONS:
                self._writes.labels(operation, result)


def _version() -> str:
    try:
        return version("pullkeeper")
    except PackageNotFoundError:
        return _UNKNOWN
