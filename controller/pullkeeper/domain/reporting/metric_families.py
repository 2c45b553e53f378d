"""The metric families: name, type, labels and HELP text. Tests hold alerts, dashboard and docs to this list."""

from dataclasses import dataclass
from enum import StrEnum

from pullkeeper.domain.secret.plan import Cause

_AWS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 1800)
_RECONCILE_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30)


class MetricType(StrEnum):
    """Type of a Prometheus metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Result(StrEnum):
    """Value of the label `result`."""

    SUCCESS = "success"
    ERROR = "error"


class DroppedEvent(StrEnum):
    """Value of the label `reason` of Events that were not posted."""

    QUEUE_FULL = "queue_full"
    REFUSED = "refused"
    """The API server refused it, or could not be reached, or another replica leads now."""
    STOPPED = "stopped"
    """The process ended before its turn came."""


CACHED_RESOURCES = ("namespaces", "secrets", "serviceaccounts")
"""Values of the label `resource` of what is cached."""
OPERATIONS = (*(cause.value for cause in Cause), "delete")
"""Values of the label `operation`: why a pull Secret is written, or that it is deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricFamily:
    """A metric family."""

    name: str
    type: MetricType
    documentation: str
    """The HELP text."""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds in seconds, for histograms only."""


BUILD_INFO = MetricFamily(
    name="pullkeeper_build_info",
    type=MetricType.GAUGE,
    documentation="Always 1; the labels describe the running build.",
    labels=("version", "revision", "python_version"),
)
LEADER = MetricFamily(
    name="pullkeeper_leader",
    type=MetricType.GAUGE,
    documentation="1 if this replica is the leader, or if there is no leader election; else 0.",
)
HEARTBEAT = MetricFamily(
    name="pullkeeper_heartbeat_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time of the last iteration of the worker loop; 0 before the first.",
)
PERMISSION_DENIED = MetricFamily(
    name="pullkeeper_permission_denied",
    type=MetricType.GAUGE,
    documentation="1 while the API server denies, for lack of permission, what the controller needs to list or write.",
)
CONFIG_LAST_RELOAD_SUCCESSFUL = MetricFamily(
    name="pullkeeper_config_last_reload_successful",
    type=MetricType.GAUGE,
    documentation="1 if the settings file as it is now can be read and is valid, else 0.",
)
TOKEN_REQUESTS = MetricFamily(
    name="pullkeeper_token_requests_total",
    type=MetricType.COUNTER,
    documentation="Total requests for an authorization token by result.",
    labels=("identity", "region", "result"),
)
TOKEN_ERRORS = MetricFamily(
    name="pullkeeper_token_request_errors_total",
    type=MetricType.COUNTER,
    documentation="Total failed requests for an authorization token by reason.",
    labels=("identity", "region", "reason"),
)
TOKEN_SECONDS = MetricFamily(
    name="pullkeeper_token_request_duration_seconds",
    type=MetricType.HISTOGRAM,
    documentation="Duration of requests for an authorization token.",
    labels=("region",),
    buckets=_AWS_SECONDS,
)
TOKEN_EXPIRY = MetricFamily(
    name="pullkeeper_token_expiry_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time when the newest token expires.",
    labels=("identity", "region"),
)
TOKEN_SUCCESS = MetricFamily(
    name="pullkeeper_token_last_success_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time of the last successful request for a token.",
    labels=("identity", "region"),
)
CERTIFICATE_EXPIRY = MetricFamily(
    name="pullkeeper_client_certificate_expiry_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time when the certificate for IAM Roles Anywhere expires; 0: it cannot be read.",
    labels=("identity",),
)
CERTIFICATE_START = MetricFamily(
    name="pullkeeper_client_certificate_not_before_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time from which the certificate for IAM Roles Anywhere is valid; 0: it cannot be read.",
    labels=("identity",),
)
REGISTRY_PROBES = MetricFamily(
    name="pullkeeper_registry_probes_total",
    type=MetricType.COUNTER,
    documentation="Total tokens tried at registries by result; skipped: the registry cannot be probed.",
    labels=("result",),
)
NAMESPACES = MetricFamily(
    name="pullkeeper_namespaces",
    type=MetricType.GAUGE,
    documentation="Namespaces that request a pull Secret, by state.",
    labels=("state",),
)
PENDING_OPT_OUTS = MetricFamily(
    name="pullkeeper_pending_opt_outs",
    type=MetricType.GAUGE,
    documentation="Namespaces whose opt-in has vanished from the settings: their pull Secrets are about to be deleted.",
)
SECRET_EXPIRY = MetricFamily(
    name="pullkeeper_secret_expiry_timestamp_seconds",
    type=MetricType.GAUGE,
    documentation="Unix time when the earliest token in the pull Secret expires; unlabelled: "
    "the soonest of all namespaces.",
    labels=("target_namespace",),
)
SECRET_WRITES = MetricFamily(
    name="pullkeeper_secret_writes_total",
    type=MetricType.COUNTER,
    documentation="Total writes of pull Secrets by operation and result.",
    labels=("operation", "result"),
)
TIME_TO_SECRET = MetricFamily(
    name="pullkeeper_time_to_secret_seconds",
    type=MetricType.HISTOGRAM,
    documentation="Time from the observed request of a namespace to its first pull Secret.",
    buckets=_WAIT_SECONDS,
)
RECONCILES = MetricFamily(
    name="pullkeeper_reconcile_total",
    type=MetricType.COUNTER,
    documentation="Total namespace reconciliations by result.",
    labels=("result",),
)
RECONCILE_SECONDS = MetricFamily(
    name="pullkeeper_reconcile_duration_seconds",
    type=MetricType.HISTOGRAM,
    documentation="Duration of namespace reconciliations.",
    buckets=_RECONCILE_SECONDS,
)
WORKQUEUE_DEPTH = MetricFamily(
    name="pullkeeper_workqueue_depth",
    type=MetricType.GAUGE,
    documentation="Namespaces in the work queue that are ready to be reconciled, by priority.",
    labels=("priority",),
)
REST_CLIENT_REQUESTS = MetricFamily(
    name="pullkeeper_rest_client_requests_total",
    type=MetricType.COUNTER,
    documentation="Total HTTP requests to the API server by verb, resource and status code; 0: no response.",
    labels=("verb", "resource", "code"),
)
CACHE_DIFFERENCES = MetricFamily(
    name="pullkeeper_cache_differences_total",
    type=MetricType.COUNTER,
    documentation="Total differences that a listing found against the cache and the watch did not tell of, by "
    "resource.",
    labels=("resource",),
)
HISTORY_RESETS = MetricFamily(
    name="pullkeeper_history_resets_total",
    type=MetricType.COUNTER,
    documentation="Total times that resourceVersions went back, as when etcd is restored from a backup.",
)
EVENTS_DROPPED = MetricFamily(
    name="pullkeeper_events_dropped_total",
    type=MetricType.COUNTER,
    documentation="Total Events that were not posted, by reason.",
    labels=("reason",),
)
AWS_REQUESTS = MetricFamily(
    name="pullkeeper_aws_requests_total",
    type=MetricType.COUNTER,
    documentation="Total HTTP requests to AWS APIs by service, operation and status code; 0: no response.",
    labels=("service", "operation", "code"),
)

FAMILIES = (
    BUILD_INFO,
    LEADER,
    HEARTBEAT,
    PERMISSION_DENIED,
    CONFIG_LAST_RELOAD_SUCCESSFUL,
    TOKEN_REQUESTS,
    TOKEN_ERRORS,
    TOKEN_SECONDS,
    TOKEN_EXPIRY,
    TOKEN_SUCCESS,
    CERTIFICATE_EXPIRY,
    CERTIFICATE_START,
    REGISTRY_PROBES,
    NAMESPACES,
    PENDING_OPT_OUTS,
    SECRET_EXPIRY,
    SECRET_WRITES,
    TIME_TO_SECRET,
    RECONCILES,
    RECONCILE_SECONDS,
    WORKQUEUE_DEPTH,
    REST_CLIENT_REQUESTS,
    CACHE_DIFFERENCES,
    HISTORY_RESETS,
    EVENTS_DROPPED,
    AWS_REQUESTS,
)
"""All metric families, in the order of docs/observability.md."""
