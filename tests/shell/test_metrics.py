"""The metrics: names, labels, and what is there from the start."""

import re
from datetime import timedelta
from importlib.metadata import PackageNotFoundError

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from controller.core.plan import Cause
from controller.core.schedule import Lane
from controller.core.verification import Verdict
from controller.doors.metrics import OPERATIONS, RESULTS, STATES, VERDICTS, Metrics
from controller.report import State
from tests.core.examples import EU, HOUR, NOW, PUBLIC, scope

OURS = {
    "pullkeeper_leader": ("gauge", set()),
    "pullkeeper_settings_valid": ("gauge", set()),
    "pullkeeper_build_info": ("gauge", {"version", "python_version"}),
    "pullkeeper_token_requests": ("counter", {"identity", "region", "result"}),
    "pullkeeper_token_request_errors": ("counter", {"identity", "region", "reason"}),
    "pullkeeper_token_request_duration_seconds": ("histogram", {"region"}),
    "pullkeeper_token_expiry_timestamp_seconds": ("gauge", {"identity", "region"}),
    "pullkeeper_token_last_success_timestamp_seconds": ("gauge", {"identity", "region"}),
    "pullkeeper_registry_probes": ("counter", {"result"}),
    "pullkeeper_secret_writes": ("counter", {"operation", "result"}),
    "pullkeeper_secret_expiry_timestamp_seconds": ("gauge", {"target_namespace"}),
    "pullkeeper_namespaces": ("gauge", {"state"}),
    "pullkeeper_time_to_secret_seconds": ("histogram", set()),
    "pullkeeper_reconcile": ("counter", {"result"}),
    "pullkeeper_reconcile_duration_seconds": ("histogram", set()),
    "pullkeeper_queue_depth": ("gauge", {"lane"}),
    "pullkeeper_kube_api_requests": ("counter", {"verb", "resource", "code"}),
    "pullkeeper_heartbeat_timestamp_seconds": ("gauge", set()),
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def families(metrics: Metrics) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    found = [
        each.value
        for family in families(metrics).values()
        for each in family.samples
        if each.name == name and each.labels == labels
    ]
    return found[0] if found else None


def used(metrics: Metrics) -> Metrics:
    """Touch everything once."""
    metrics.watch_depth(lambda _: 3)
    metrics.token_request(scope(EU), 0.2, "Throttled")
    metrics.token(scope(EU), NOW, NOW + HOUR)
    metrics.kube_request("list", "secrets", 200, 0.1)
    metrics.registry_probe("accepted")
    metrics.secret_write("create", "success")
    metrics.stands("team-a", "ready", NOW)
    metrics.first_secret(timedelta(seconds=1))
    metrics.reconciled("success", 0.1)
    metrics.heartbeat(NOW)
    metrics.leader(leads=True)
    return metrics


def test_the_names_types_and_labels_are_a_promise(metrics: Metrics) -> None:
    """Dashboards and alerts are built on just these."""
    found = {name: family for name, family in families(used(metrics)).items() if name.startswith("pullkeeper_")}
    kinds = {name: (family.type, _labels(family)) for name, family in found.items()}
    assert kinds == OURS


def _labels(family: Metric) -> set[str]:
    return set().union(*(each.labels.keys() for each in family.samples)) - {"le"}


def test_the_exposition_keeps_to_the_conventions(metrics: Metrics) -> None:
    """Help for each, counters in _total, units in full, no creation times, no reserved label."""
    for name, family in families(used(metrics)).items():
        assert name.startswith(("pullkeeper_", "process_", "python_"))
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|count|created|total)$", name)
        for each in family.samples:
            assert each.name.endswith("_total") == (family.type == "counter")
            assert not each.name.endswith("_created")
            assert not {"job", "instance", "namespace", "pod"} & each.labels.keys()


def test_times_and_durations_are_in_seconds(metrics: Metrics) -> None:
    """A histogram observes seconds, and a timestamp is one of Unix."""
    used(metrics)
    assert all(name.endswith("_seconds") for name, family in families(metrics).items() if family.type == "histogram")
    assert sample(metrics, "pullkeeper_heartbeat_timestamp_seconds") == NOW.timestamp()
    labels = {"identity": "controller", "region": "eu-west-1"}
    assert sample(metrics, "pullkeeper_token_expiry_timestamp_seconds", **labels) == (NOW + HOUR).timestamp()
    assert sample(metrics, "pullkeeper_token_last_success_timestamp_seconds", **labels) == NOW.timestamp()
    assert sample(metrics, "pullkeeper_token_request_duration_seconds_sum", region="eu-west-1") == 0.2


def test_closed_label_sets_are_those_of_the_controller() -> None:
    """A new state or cause has to become a label here as well."""
    assert set(STATES) == set(State)
    assert set(OPERATIONS) == {*Cause, "delete"}
    assert set(VERDICTS) == set(Verdict)


def test_closed_label_sets_are_there_from_the_start(metrics: Metrics) -> None:
    """A first failure shows as an increase from 0, not as a series out of nowhere."""
    for state in STATES:
        assert sample(metrics, "pullkeeper_namespaces", state=state) == 0
    for verdict in VERDICTS:
        assert sample(metrics, "pullkeeper_registry_probes_total", result=verdict) == 0
    for result in RESULTS:
        assert sample(metrics, "pullkeeper_reconcile_total", result=result) == 0
        for operation in OPERATIONS:
            assert sample(metrics, "pullkeeper_secret_writes_total", operation=operation, result=result) == 0


@pytest.mark.parametrize(("reason", "result"), [(None, "success"), ("AccessDenied", "error")])
def test_a_request_for_a_token_is_counted_by_its_result(metrics: Metrics, reason: str | None, result: str) -> None:
    """With its reason only where it failed."""
    metrics.token_request(scope(PUBLIC), 0.1, reason)
    labels = {"identity": "controller", "region": "us-east-1/public"}
    assert sample(metrics, "pullkeeper_token_requests_total", **labels, result=result) == 1
    assert sample(metrics, "pullkeeper_token_request_errors_total", **labels, reason="AccessDenied") == (
        1 if reason else None
    )


def test_each_namespace_counts_once(metrics: Metrics) -> None:
    """When it stands otherwise it changes over, and who is forgotten is in no state."""
    for state in ("pending", "ready", "ready", "failing"):
        metrics.stands("team-a", state, None)
    metrics.stands("team-b", "ready", None)
    assert {state: sample(metrics, "pullkeeper_namespaces", state=state) for state in STATES} == {
        "ready": 1,
        "pending": 0,
        "failing": 1,
        "misconfigured": 0,
        "conflict": 0,
    }
    for name in ("team-a", "team-b", "team-c"):
        metrics.stands(name, None, None)
    assert {sample(metrics, "pullkeeper_namespaces", state=state) for state in STATES} == {0}


@pytest.mark.parametrize("state", [None, "pending"])
def test_the_series_of_a_secret_goes_with_it(metrics: Metrics, state: str | None) -> None:
    """A Secret that is gone must not look as if it expired."""
    name, labels = "pullkeeper_secret_expiry_timestamp_seconds", {"target_namespace": "team-a"}
    metrics.stands("team-a", "ready", NOW)
    assert sample(metrics, name, **labels) == NOW.timestamp()
    metrics.stands("team-a", "ready", NOW + HOUR)
    assert sample(metrics, name, **labels) == (NOW + HOUR).timestamp()
    metrics.stands("team-a", state, None)
    metrics.stands("team-a", state, None)
    assert sample(metrics, name, **labels) is None


def test_series_of_single_namespaces_can_be_left_out() -> None:
    """Where there are very many, the counts by state remain."""
    metrics = Metrics(per_namespace=False)
    metrics.stands("team-a", "ready", NOW)
    assert sample(metrics, "pullkeeper_secret_expiry_timestamp_seconds", target_namespace="team-a") is None
    assert sample(metrics, "pullkeeper_namespaces", state="ready") == 1


def test_the_depth_is_asked_at_each_scrape(metrics: Metrics) -> None:
    """Both lanes are told as they are now."""
    depths = {Lane.FIRST: 1, Lane.ROTATION: 2}
    metrics.watch_depth(depths.__getitem__)
    depths[Lane.ROTATION] = 5
    assert sample(metrics, "pullkeeper_queue_depth", lane="first") == 1
    assert sample(metrics, "pullkeeper_queue_depth", lane="rotation") == 5


def test_two_registries_do_not_mix(metrics: Metrics) -> None:
    """There is no global registry that one test or process part could share with another."""
    metrics.secret_write("create", "success")
    assert sample(Metrics(), "pullkeeper_secret_writes_total", operation="create", result="success") == 0


def test_without_an_installed_package_the_version_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from a bare folder it works all the same."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("controller.doors.metrics.version", absent)
    assert b'version="unknown"' in Metrics().render()


def test_a_replica_that_leads_no_more_tells_of_no_namespace(metrics: Metrics) -> None:
    """Its figures would grow old; the one that leads now has them."""
    metrics.stands("team-a", "ready", NOW)
    metrics.stands("team-b", "pending", None)
    metrics.forget_namespaces()
    assert sample(metrics, "pullkeeper_namespaces", state="ready") == 0
    assert sample(metrics, "pullkeeper_namespaces", state="pending") == 0
    assert sample(metrics, "pullkeeper_secret_expiry_timestamp_seconds", target_namespace="team-a") is None
