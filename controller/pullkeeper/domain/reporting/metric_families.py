"""What is measured: each metric's name, type, labels and meaning. Dashboards, alerts and docs are held to this list."""

from dataclasses import dataclass
from enum import StrEnum

from pullkeeper.domain.secret.plan import Cause

_AWS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 1800)
_RECONCILE_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30)


class MetricType(StrEnum):
    """Prometheus' types of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Result(StrEnum):
    """How something ended."""

    SUCCESS = "success"
    ERROR = "error"


OPERATIONS = (*(cause.value for cause in Cause), "delete")
"""What is done to a pull Secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricFamily:
    """One metric."""

    name: str
    type: MetricType
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds in seconds; only a histogram has them."""


BUILD_INFO = MetricFamily(
    name="pullkeeper_build_info",
    type=MetricType.GAUGE,
    text="What runs here.",
    labels=("version", "revision", "python_version"),
)
LEADER = MetricFamily(
    name="pullkeeper_leader", type=MetricType.GAUGE, text="1 where this replica acts; it does where there is only one."
)
HEARTBEAT = MetricFamily(
    name="pullkeeper_heartbeat_timestamp_seconds",
    type=MetricType.GAUGE,
    text="When the worker last came round; 0 is not yet.",
)
CONFIG_LAST_RELOAD_SUCCESSFUL = MetricFamily(
    name="pullkeeper_config_last_reload_successful",
    type=MetricType.GAUGE,
    text="1 while the settings file can be taken over as it is.",
)
TOKEN_REQUESTS = MetricFamily(
    name="pullkeeper_token_requests_total",
    type=MetricType.COUNTER,
    text="Authorization tokens asked of ECR.",
    labels=("identity", "region", "result"),
)
TOKEN_ERRORS = MetricFamily(
    name="pullkeeper_token_request_errors_total",
    type=MetricType.COUNTER,
    text="Authorization tokens that could not be had, by reason.",
    labels=("identity", "region", "reason"),
)
TOKEN_SECONDS = MetricFamily(
    name="pullkeeper_token_request_duration_seconds",
    type=MetricType.HISTOGRAM,
    text="How long ECR took to answer.",
    labels=("region",),
    buckets=_AWS_SECONDS,
)
TOKEN_EXPIRY = MetricFamily(
    name="pullkeeper_token_expiry_timestamp_seconds",
    type=MetricType.GAUGE,
    text="When the youngest token dies.",
    labels=("identity", "region"),
)
TOKEN_SUCCESS = MetricFamily(
    name="pullkeeper_token_last_success_timestamp_seconds",
    type=MetricType.GAUGE,
    text="When a token was last had.",
    labels=("identity", "region"),
)
REGISTRY_PROBES = MetricFamily(
    name="pullkeeper_registry_probes_total",
    type=MetricType.COUNTER,
    text="Tokens tried at registries; skipped are those of registries that cannot be asked.",
    labels=("result",),
)
NAMESPACES = MetricFamily(
    name="pullkeeper_namespaces",
    type=MetricType.GAUGE,
    text="Namespaces that ask for a pull Secret, by how they stand.",
    labels=("state",),
)
SECRET_EXPIRY = MetricFamily(
    name="pullkeeper_secret_expiry_timestamp_seconds",
    type=MetricType.GAUGE,
    text="When the first token in a namespace's pull Secret dies; without a namespace, in the Secret that dies first.",
    labels=("target_namespace",),
)
SECRET_WRITES = MetricFamily(
    name="pullkeeper_secret_writes_total",
    type=MetricType.COUNTER,
    text="Writes of pull Secrets.",
    labels=("operation", "result"),
)
TIME_TO_SECRET = MetricFamily(
    name="pullkeeper_time_to_secret_seconds",
    type=MetricType.HISTOGRAM,
    text="From seeing a namespace ask to its first Secret.",
    buckets=_WAIT_SECONDS,
)
RECONCILES = MetricFamily(
    name="pullkeeper_reconcile_total", type=MetricType.COUNTER, text="Looks at one namespace.", labels=("result",)
)
RECONCILE_SECONDS = MetricFamily(
    name="pullkeeper_reconcile_duration_seconds",
    type=MetricType.HISTOGRAM,
    text="How long a look at one namespace took.",
    buckets=_RECONCILE_SECONDS,
)
WORKQUEUE_DEPTH = MetricFamily(
    name="pullkeeper_workqueue_depth",
    type=MetricType.GAUGE,
    text="Namespaces that are due and wait for their turn.",
    labels=("priority",),
)
REST_CLIENT_REQUESTS = MetricFamily(
    name="pullkeeper_rest_client_requests_total",
    type=MetricType.COUNTER,
    text="Requests to the API server, counted where they leave; code 0 is no answer.",
    labels=("verb", "resource", "code"),
)
AWS_REQUESTS = MetricFamily(
    name="pullkeeper_aws_requests_total",
    type=MetricType.COUNTER,
    text="Requests to AWS's APIs, each try counted where it leaves; code 0 is no answer.",
    labels=("service", "operation", "code"),
)

FAMILIES = (
    BUILD_INFO,
    LEADER,
    HEARTBEAT,
    CONFIG_LAST_RELOAD_SUCCESSFUL,
    TOKEN_REQUESTS,
    TOKEN_ERRORS,
    TOKEN_SECONDS,
    TOKEN_EXPIRY,
    TOKEN_SUCCESS,
    REGISTRY_PROBES,
    NAMESPACES,
    SECRET_EXPIRY,
    SECRET_WRITES,
    TIME_TO_SECRET,
    RECONCILES,
    RECONCILE_SECONDS,
    WORKQUEUE_DEPTH,
    REST_CLIENT_REQUESTS,
    AWS_REQUESTS,
)
"""All of them, as docs/observability.md lists them."""
