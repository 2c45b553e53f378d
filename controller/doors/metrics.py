"""Every metric of the controller; the names and labels are a promise to dashboards and alerts."""

import platform
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

from controller.core.identity import TokenScope
from controller.core.schedule import Lane

CONTENT_TYPE = CONTENT_TYPE_LATEST
STATES = ("ready", "pending", "failing", "misconfigured", "conflict")
OPERATIONS = ("create", "repair", "change", "refresh", "rotate", "delete")
RESULTS = ("success", "error")
VERDICTS = ("accepted", "rejected", "unreachable", "skipped")

_AWS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 1800)
_RECONCILE_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30)


class Metrics:
    """The controller's own registry of metrics."""

    def __init__(self, *, per_namespace: bool = True) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types there
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._per_namespace = per_namespace
        self._states: dict[str, str] = {}
        self._expiring: set[str] = set()
        build = Gauge("pullkeeper_build_info", "What runs here.", ["version", "python_version"], registry=registry)
        build.labels(_version(), platform.python_version()).set(1)
        self._make_token_metrics(registry)
        self._make_secret_metrics(registry)
        self._make_process_metrics(registry)
        self._start_label_sets()

    def _make_token_metrics(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "pullkeeper_token_requests_total",
            "Authorization tokens asked of ECR.",
            ["identity", "region", "result"],
            registry=registry,
        )
        self._errors = Counter(
            "pullkeeper_token_request_errors_total",
            "Authorization tokens that could not be had, by reason.",
            ["identity", "region", "reason"],
            registry=registry,
        )
        self._aws_seconds = Histogram(
            "pullkeeper_token_request_duration_seconds",
            "How long ECR took to answer.",
            ["region"],
            buckets=_AWS_SECONDS,
            registry=registry,
        )
        self._token_expiry = Gauge(
            "pullkeeper_token_expiry_timestamp_seconds",
            "When the youngest token dies.",
            ["identity", "region"],
            registry=registry,
        )
        self._token_success = Gauge(
            "pullkeeper_token_last_success_timestamp_seconds",
            "When a token was last had.",
            ["identity", "region"],
            registry=registry,
        )

        self._probes = Counter(
            "pullkeeper_registry_probes_total",
            "Tokens tried at registries; skipped are those of registries that cannot be asked.",
            ["result"],
            registry=registry,
        )

    def _make_secret_metrics(self, registry: CollectorRegistry) -> None:
        self._writes = Counter(
            "pullkeeper_secret_writes_total",
            "Writes of pull Secrets.",
            ["operation", "result"],
            registry=registry,
        )
        self._secret_expiry = Gauge(
            "pullkeeper_secret_expiry_timestamp_seconds",
            "When the first token in the pull Secret of a namespace dies.",
            ["target_namespace"],
            registry=registry,
        )
        self._namespaces = Gauge(
            "pullkeeper_namespaces",
            "Namespaces that ask for a pull Secret, by how they stand.",
            ["state"],
            registry=registry,
        )
        self._first_secret = Histogram(
            "pullkeeper_time_to_secret_seconds",
            "From seeing a namespace ask to its first Secret.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )

    def _make_process_metrics(self, registry: CollectorRegistry) -> None:
        self._reconciled = Counter(
            "pullkeeper_reconcile_total", "Looks at one namespace.", ["result"], registry=registry
        )
        self._reconcile_seconds = Histogram(
            "pullkeeper_reconcile_duration_seconds",
            "How long a look at one namespace took.",
            buckets=_RECONCILE_SECONDS,
            registry=registry,
        )
        self._depth = Gauge(
            "pullkeeper_queue_depth",
            "Namespaces that are due and wait for their turn.",
            ["lane"],
            registry=registry,
        )
        self._kube = Counter(
            "pullkeeper_kube_api_requests_total",
            "Requests to the API server, those of the Namespace watch not included; code 0 is no answer.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self._settings_valid = Gauge(
            "pullkeeper_settings_valid", "1 while the settings file can be taken over as it is.", registry=registry
        )
        self._leader = Gauge("pullkeeper_leader", "1 while this replica acts, 0 while it stands by.", registry=registry)
        self._heartbeat = Gauge(
            "pullkeeper_heartbeat_timestamp_seconds", "When the worker last came round.", registry=registry
        )

    def render(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def watch_depth(self, depth: Callable[[Lane], int]) -> None:
        """Ask for the queue's depth at each scrape."""
        for lane in Lane:
            self._depth.labels(lane.value).set_function(partial(depth, lane))

    def token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Count one question to ECR; `reason` is why it failed, None where it did not."""
        labels = (scope.identity.name, scope.label)
        self._requests.labels(*labels, "success" if reason is None else "error").inc()
        self._aws_seconds.labels(scope.label).observe(seconds)
        if reason is not None:
            self._errors.labels(*labels, reason).inc()

    def token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Note a token that was had."""
        labels = (scope.identity.name, scope.label)
        self._token_expiry.labels(*labels).set(expires_at.timestamp())
        self._token_success.labels(*labels).set(now.timestamp())

    def registry_probe(self, result: str) -> None:
        """Count a token that was tried at a registry."""
        self._probes.labels(result).inc()

    def kube_request(self, verb: str, resource: str, code: int, _seconds: float) -> None:
        """Count one request to the API server."""
        self._kube.labels(verb, resource, str(code)).inc()

    def secret_write(self, operation: str, result: str) -> None:
        """Count a write of a Secret."""
        self._writes.labels(operation, result).inc()

    def stands(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """Note how a namespace stands; None takes it out of the count."""
        before = self._states.pop(namespace, None)
        if before is not None:
            self._namespaces.labels(before).dec()
        if state is not None:
            self._states[namespace] = state
            self._namespaces.labels(state).inc()
        if self._per_namespace:
            self._expiry(namespace, expires_at)

    def first_secret(self, wait: timedelta) -> None:
        """Note how long a namespace waited for its first Secret."""
        self._first_secret.observe(wait.total_seconds())

    def reconciled(self, result: str, seconds: float) -> None:
        """Count a look at one namespace."""
        self._reconciled.labels(result).inc()
        self._reconcile_seconds.observe(seconds)

    def settings_valid(self, valid: bool) -> None:  # noqa: FBT001 -- the gauge's value
        """Note whether the settings file can be read as it is now."""
        self._settings_valid.set(valid)

    def heartbeat(self, now: datetime) -> None:
        """Note that the worker has come round."""
        self._heartbeat.set(now.timestamp())

    def leader(self, *, leads: bool) -> None:
        """Note whether this replica acts."""
        self._leader.set(leads)

    def forget_namespaces(self) -> None:
        """Drop what was noted of namespaces: another replica tells of them now."""
        for namespace in list(self._states):
            self.stands(namespace, None, None)

    def _expiry(self, namespace: str, expires_at: datetime | None) -> None:
        if expires_at is not None:
            self._expiring.add(namespace)
            self._secret_expiry.labels(namespace).set(expires_at.timestamp())
        elif namespace in self._expiring:
            self._expiring.discard(namespace)
            self._secret_expiry.remove(namespace)

    def _start_label_sets(self) -> None:
        """Let every closed label set start at 0, so that a first failure shows as an increase."""
        for state in STATES:
            self._namespaces.labels(state).set(0)
        for verdict in VERDICTS:
            self._probes.labels(verdict)
        for result in RESULTS:
            self._reconciled.labels(result)
            for operation in OPERATIONS:
                self._writes.labels(operation, result)


def _version() -> str:
    try:
        return version("pullkeeper")
    except PackageNotFoundError:
        return "unknown"
