"""Two clusters with two installations each, as one Prometheus sees them: all are well but one, with which all is wrong.

Both clusters have the same names for everything, and one after another each has a leader in another pod.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testsupport.prometheus_tools import Tools, promtool

STEP = 60
HISTORY = 7_200
_BUCKETS = ("0.1", "1", "+Inf")
_ERRORS = ("AccessDenied", "NetworkUnreachable", "Throttled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One installation, and how its figures differ from the others'."""

    cluster: str
    namespace: str
    job: str
    factor: int
    leader: int
    """Which of its pods leads, or did."""
    broken: bool = False

    @property
    def labels(self) -> dict[str, str]:
        return {"cluster": self.cluster, "namespace": self.namespace, "job": self.job}

    @property
    def selection(self) -> dict[str, str]:
        """The values of the dashboard's variables that select it."""
        return {"$cluster": self.cluster, "$namespace": self.namespace, "$job": self.job}


FLEET = (
    Member(cluster="a", namespace="pullkeeper-system", job="pullkeeper", factor=1, leader=0),
    Member(cluster="a", namespace="canary", job="canary", factor=2, leader=1),
    Member(cluster="b", namespace="pullkeeper-system", job="pullkeeper", factor=3, leader=1),
    Member(cluster="b", namespace="canary", job="canary", factor=4, leader=0, broken=True),
)
ALL = {"$cluster": ".*", "$namespace": ".*", "$job": ".*"}

Sample = tuple[str, dict[str, str], float]


def _of_pod(member: Member, pod: int, now: int, begin: int) -> Iterator[Sample]:
    """Yield what every pod exports: counters grow by `factor` a step, errors where things are wrong."""
    factor, wrong, grown = member.factor, member.broken, (now - begin) / STEP
    leads = pod == member.leader and not wrong
    yield "pullkeeper_build_info", {"version": f"0.{factor}", "revision": "r", "python_version": "3"}, 1
    yield "pullkeeper_leader", {}, float(leads)
    yield "pullkeeper_heartbeat_timestamp_seconds", {}, begin if wrong else now - factor
    yield "pullkeeper_config_last_reload_successful", {}, float(not wrong)
    yield "pullkeeper_permission_denied", {}, float(wrong)
    yield "pullkeeper_pending_opt_outs", {}, factor * wrong
    identity = {"identity": "controller"}
    life = 86_400 * (1 if wrong else 80 + factor)
    yield "pullkeeper_client_certificate_expiry_timestamp_seconds", identity, begin + life
    yield "pullkeeper_client_certificate_not_before_timestamp_seconds", identity, begin - 86_400 * 90
    yield "process_resident_memory_bytes", {}, (100 + factor) * 2**20
    yield "process_cpu_seconds_total", {}, grown * factor
    yield "process_open_fds", {}, 10 + factor
    yield "process_start_time_seconds", {}, begin - factor
    for priority in ("new", "rotation"):
        yield "pullkeeper_workqueue_depth", {"priority": priority}, factor * (1 + wrong)
    yield "pullkeeper_reconcile_total", {"result": "success"}, factor * (1 if wrong else grown)
    for bound in _BUCKETS:
        yield "pullkeeper_reconcile_duration_seconds_bucket", {"le": bound}, grown * factor * (1 + (bound != "0.1"))
    for code in ("200", "500"):
        request = {"verb": "list", "resource": "secrets", "code": code}
        yield "pullkeeper_rest_client_requests_total", request, grown * factor
    yield "pullkeeper_aws_requests_total", {"operation": "AssumeRole", "code": "200"}, grown * factor
    yield "pullkeeper_cache_differences_total", {"resource": "secrets"}, grown * factor * wrong
    yield "pullkeeper_history_resets_total", {}, grown * factor
    yield "pullkeeper_events_dropped_total", {"reason": "full"}, grown * factor * wrong


def _of_leader(member: Member, now: int, begin: int) -> Iterator[Sample]:
    """Yield what the leader exports of namespaces and tokens."""
    factor, wrong, grown = member.factor, member.broken, (now - begin) / STEP
    for number, state in enumerate(("ready", "misconfigured", "conflict", "contested")):
        yield "pullkeeper_namespaces", {"state": state}, factor * (number + 1) * (wrong or number == 0)
    for number in range(2):
        left = -100 if wrong else 3600 * (6 + factor + number)
        name = {"target_namespace": f"team-{number}"}
        yield "pullkeeper_secret_expiry_timestamp_seconds", name, begin + HISTORY + left
    token = {"identity": "controller", "region": "eu-west-1"}
    yield "pullkeeper_token_expiry_timestamp_seconds", token, begin + HISTORY + 3600 * factor
    yield "pullkeeper_token_last_success_timestamp_seconds", token, begin + HISTORY - (30_000 if wrong else factor)
    yield "pullkeeper_token_requests_total", {**token, "result": "success"}, grown * factor
    for reason in _ERRORS:
        yield "pullkeeper_token_request_errors_total", {**token, "reason": reason}, grown * factor * wrong
    yield "pullkeeper_registry_probes_total", {"result": "rejected"}, grown * factor * wrong
    for result in ("success", "error"):
        writes = {"operation": "rotate", "result": result}
        yield "pullkeeper_secret_writes_total", writes, grown * factor * (wrong or result == "success")
    for bound in _BUCKETS:
        seconds = grown * factor * (1 + (bound != "0.1"))
        yield "pullkeeper_token_request_duration_seconds_bucket", {"region": "eu-west-1", "le": bound}, seconds
        yield "pullkeeper_time_to_secret_seconds_bucket", {"le": bound}, seconds


def _samples(member: Member, now: int, begin: int) -> Iterator[Sample]:
    for pod in (0, 1):
        where = {**member.labels, "pod": f"pullkeeper-{pod}", "instance": f"10.0.0.{pod}:8080"}
        own = [*_of_pod(member, pod, now, begin), *(_of_leader(member, now, begin) if pod == member.leader else ())]
        yield from ((name, where | labels, value) for name, labels, value in own)


def _lines(begin: int) -> Iterator[str]:
    for now in range(begin, begin + HISTORY + 1, STEP):
        for member in FLEET:
            for name, labels, value in _samples(member, now, begin):
                written = ",".join(f'{key}="{text}"' for key, text in labels.items())
                yield f"{name}{{{written}}} {value} {now}"


def write(tools: Tools, folder: Path, begin: int) -> None:
    """Write the fleet's last hours as what Prometheus has stored."""
    text = folder / "fleet.om"
    text.write_text("\n".join([*_lines(begin), "# EOF\n"]))
    promtool(tools, "tsdb", "create-blocks-from", "openmetrics", text, folder / "data")
