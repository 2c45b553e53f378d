"""The metrics: names, labels, and initial values."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pullkeeper.adapters.prometheus import REVISION, Metrics
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import TOKEN_REASONS
from pullkeeper.domain.iam.identity import service_account
from pullkeeper.domain.iam.roles_anywhere import CertificateInfo
from pullkeeper.domain.reporting.metric_families import FAMILIES, OPERATIONS, Result
from pullkeeper.domain.reporting.state import STATUS_ONLY, State
from pullkeeper.domain.secret.plan import Priority
from testsupport.examples import EU, HOUR, NOW, PUBLIC, scope


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


COUNTED = [state for state in State if state not in STATUS_ONLY]


def counts(metrics: Metrics) -> dict[str, float | None]:
    return {state: sample(metrics, "pullkeeper_namespaces", state=state) for state in COUNTED}


def used(metrics: Metrics) -> Metrics:
    """Touch everything once."""
    metrics.set_workqueue_depth(lambda _: 3)
    metrics.set_pending_opt_outs(lambda: 2)
    metrics.set_client_certificate("controller", lambda: None)
    metrics.record_token_request(scope(EU), 0.2, None)
    metrics.record_token(scope(EU), NOW, NOW + HOUR)
    metrics.record_kube_request("list", "secrets", 200)
    metrics.record_aws_request("ecr", "GetAuthorizationToken", 200)
    metrics.record_secret_write("create", "success")
    metrics.set_namespace_state("team-a", "ready", NOW)
    metrics.observe_time_to_secret(timedelta(seconds=1))
    metrics.observe_reconcile("success", 0.1)
    metrics.set_heartbeat(NOW)
    return metrics


def test_names_types_and_labels_match_the_definitions(metrics: Metrics) -> None:
    """Dashboards and alerts rely on them."""
    found = {name: family for name, family in families(used(metrics)).items() if name.startswith("pullkeeper_")}
    kinds = {name: (family.type, _labels(family)) for name, family in found.items()}
    assert kinds == {each.name.removesuffix("_total"): (each.type, {*each.labels}) for each in FAMILIES}


def _labels(family: Metric) -> set[str]:
    return set().union(*(each.labels.keys() for each in family.samples)) - {"le"}


def test_the_exposition_follows_the_conventions(metrics: Metrics) -> None:
    """HELP for each, counters in _total, base units, no _created, no reserved labels."""
    for name, family in families(used(metrics)).items():
        assert name.startswith(("pullkeeper_", "process_", "python_"))
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|count|created|total)$", name)
        for each in family.samples:
            assert each.name.endswith("_total") == (family.type == "counter")
            assert not each.name.endswith("_created")
            assert not {"job", "instance", "namespace", "pod"} & each.labels.keys()


def test_times_and_durations_are_in_seconds(metrics: Metrics) -> None:
    """Timestamps are Unix time."""
    used(metrics)
    assert all(name.endswith("_seconds") for name, family in families(metrics).items() if family.type == "histogram")
    assert sample(metrics, "pullkeeper_heartbeat_timestamp_seconds") == NOW.timestamp()
    labels = {"identity": "controller", "region": "eu-west-1"}
    assert sample(metrics, "pullkeeper_token_expiry_timestamp_seconds", **labels) == (NOW + HOUR).timestamp()
    assert sample(metrics, "pullkeeper_token_last_success_timestamp_seconds", **labels) == NOW.timestamp()
    assert sample(metrics, "pullkeeper_token_request_duration_seconds_sum", region="eu-west-1") == 0.2


def test_closed_label_sets_start_at_0(metrics: Metrics) -> None:
    """So a first failure shows as an increase."""
    for state in State:
        assert sample(metrics, "pullkeeper_namespaces", state=state) == (None if state in STATUS_ONLY else 0)
    for result in Result:
        assert sample(metrics, "pullkeeper_reconcile_total", result=result) == 0
        for operation in OPERATIONS:
            assert sample(metrics, "pullkeeper_secret_writes_total", operation=operation, result=result) == 0


@pytest.mark.parametrize(("reason", "result"), [(None, "success"), ("AccessDenied", "error")])
def test_token_requests_are_counted_by_result(metrics: Metrics, reason: str | None, result: str) -> None:
    """With a reason if they failed."""
    metrics.record_token(scope(PUBLIC), NOW, NOW + HOUR)
    metrics.record_token_request(scope(PUBLIC), 0.1, reason)
    labels = {"identity": "controller", "region": "us-east-1/public"}
    assert sample(metrics, "pullkeeper_token_requests_total", **labels, result=result) == 1
    assert sample(metrics, "pullkeeper_token_request_errors_total", **labels, reason="AccessDenied") == bool(reason)


def test_token_errors_start_at_0_with_the_first_request(metrics: Metrics) -> None:
    """So the first failure of an identity shows as an increase."""
    metrics.record_token_request(scope(EU), 0.1, None)
    labels = {"identity": "controller", "region": "eu-west-1"}
    assert sample(metrics, "pullkeeper_token_requests_total", **labels, result="error") == 0
    for reason in TOKEN_REASONS:
        assert sample(metrics, "pullkeeper_token_request_errors_total", **labels, reason=reason) == 0


def test_what_aws_has_not_answered_with_a_token_has_no_series_of_its_own(metrics: Metrics) -> None:
    """A namespace can make up any number of regions, and of identities by its ServiceAccounts."""
    before = len(metrics.render())
    for number in range(1_000):
        host = replace(EU, region=f"us-x{number}-1")
        metrics.record_token_request(scope(host), 0.1, "NetworkUnreachable")
        account = TokenScope.of(EU, service_account("a", f"x{number}"))
        metrics.record_token_request(account, 0.1, None)
        metrics.record_token(account, NOW, NOW + HOUR)
    assert len(metrics.render()) < before + 100_000
    labels = {"identity": "controller", "region": "other"}
    name = "pullkeeper_token_request_errors_total"
    assert sample(metrics, name, **labels, reason="NetworkUnreachable") == 1_000
    labels = {"identity": "other", "region": "eu-west-1"}
    assert sample(metrics, "pullkeeper_token_requests_total", **labels, result="success") == 980
    assert sample(metrics, "pullkeeper_token_expiry_timestamp_seconds", **labels) is None


def test_an_identity_that_is_no_longer_in_use_is_removed() -> None:
    """Tokens are requested twice a day, so after a day without requests it would only look stale."""
    hours = 0.0
    metrics = Metrics(timer=lambda: hours * 3600)
    for host in (EU, PUBLIC):
        metrics.record_token_request(scope(host), 0.1, None)
        metrics.record_token(scope(host), NOW, NOW + HOUR)
    hours = 24
    assert _regions(metrics) == {"eu-west-1", "us-east-1/public"}
    metrics.record_token_request(scope(EU), 0.1, None)
    hours = 24.1
    assert _regions(metrics) == {"eu-west-1"}


def _regions(metrics: Metrics) -> set[str]:
    by_identity = [each for each in families(metrics).values() if "identity" in _labels(each)]
    assert len(by_identity) == 4
    regions = [{each.labels["region"] for each in family.samples} for family in by_identity]
    assert all(found == regions[0] for found in regions)
    return regions[0]


def test_every_attempt_of_an_aws_request_is_counted(metrics: Metrics) -> None:
    """By service, operation and status; 0 means no response."""
    for code in (400, 0, 0):
        metrics.record_aws_request("sts", "AssumeRole", code)
    labels = {"service": "sts", "operation": "AssumeRole"}
    assert sample(metrics, "pullkeeper_aws_requests_total", **labels, code="400") == 1
    assert sample(metrics, "pullkeeper_aws_requests_total", **labels, code="0") == 2


def test_each_namespace_is_counted_once(metrics: Metrics) -> None:
    """In its current state; a removed one in none."""
    for state in ("pending", "ready", "ready", "failing"):
        metrics.set_namespace_state("team-a", state, None)
    metrics.set_namespace_state("team-b", "ready", None)
    assert counts(metrics) == {state: int(state in {State.READY, State.FAILING}) for state in COUNTED}
    for name in ("team-a", "team-b", "team-c"):
        metrics.set_namespace_state(name, None, None)
    assert counts(metrics) == dict.fromkeys(COUNTED, 0)


@pytest.mark.parametrize("state", [None, "pending"])
def test_the_expiry_of_a_deleted_secret_is_removed(metrics: Metrics, state: str | None) -> None:
    """It must not look expired."""
    name, labels = "pullkeeper_secret_expiry_timestamp_seconds", {"target_namespace": "team-a"}
    metrics.set_namespace_state("team-a", "ready", NOW)
    assert sample(metrics, name, **labels) == NOW.timestamp()
    metrics.set_namespace_state("team-a", "ready", NOW + HOUR)
    assert sample(metrics, name, **labels) == (NOW + HOUR).timestamp()
    metrics.set_namespace_state("team-a", state, None)
    metrics.set_namespace_state("team-a", state, None)
    assert sample(metrics, name, **labels) is None


def test_without_per_namespace_series_the_soonest_expiry_remains() -> None:
    """As do the counts by state."""
    name, metrics = "pullkeeper_secret_expiry_timestamp_seconds", Metrics(per_namespace=False)
    metrics.set_namespace_state("team-a", "ready", NOW + HOUR)
    metrics.set_namespace_state("team-b", "ready", NOW)
    assert [each.labels for each in families(metrics)[name].samples] == [{"target_namespace": ""}]
    assert sample(metrics, name, target_namespace="") == NOW.timestamp()
    assert sample(metrics, "pullkeeper_namespaces", state="ready") == 2
    metrics.set_namespace_state("team-b", None, None)
    assert sample(metrics, name, target_namespace="") == (NOW + HOUR).timestamp()
    metrics.forget_namespaces()
    assert families(metrics)[name].samples == []


def test_the_soonest_expiry_is_a_time_that_can_be_true() -> None:
    """What somebody has written into one Secret hides no other one."""
    name, metrics = "pullkeeper_secret_expiry_timestamp_seconds", Metrics(per_namespace=False)
    metrics.set_namespace_state("forged", "expired", datetime(1, 1, 1, tzinfo=UTC))
    assert sample(metrics, name, target_namespace="") == 0
    metrics.set_namespace_state("team-a", "ready", NOW)
    metrics.set_namespace_state("team-b", "ready", datetime(9999, 1, 1, tzinfo=UTC))
    assert sample(metrics, name, target_namespace="") == NOW.timestamp()


def test_a_former_leader_removes_all_namespaces(metrics: Metrics) -> None:
    """The new leader reports them, and the two would disagree."""
    metrics.set_namespace_state("team-a", "ready", NOW)
    metrics.set_namespace_state("team-b", "pending", None)
    metrics.forget_namespaces()
    assert families(metrics)["pullkeeper_secret_expiry_timestamp_seconds"].samples == []
    assert counts(metrics) == dict.fromkeys(COUNTED, 0)


def test_leader(metrics: Metrics) -> None:
    """1 from the start, until leader election says otherwise."""
    assert sample(metrics, "pullkeeper_leader") == 1
    for leads in (False, True):
        metrics.set_leader(leads)
        assert sample(metrics, "pullkeeper_leader") == leads


@pytest.mark.parametrize(("told", "revision"), [("4f2c1e0", "4f2c1e0"), ("", "unknown"), (None, "unknown")])
def test_the_revision_comes_from_the_image_build(
    monkeypatch: pytest.MonkeyPatch, told: str | None, revision: str
) -> None:
    """In a checkout it is unknown."""
    monkeypatch.delenv(REVISION, raising=False)
    if told is not None:
        monkeypatch.setenv(REVISION, told)
    assert f'revision="{revision}"' in Metrics().render().decode()


def test_the_queue_depth_is_read_at_each_scrape(metrics: Metrics) -> None:
    """For both priorities."""
    depths = {Priority.NEW: 1, Priority.ROTATION: 2}
    metrics.set_workqueue_depth(depths.__getitem__)
    depths[Priority.ROTATION] = 5
    assert sample(metrics, "pullkeeper_workqueue_depth", priority="new") == 1
    assert sample(metrics, "pullkeeper_workqueue_depth", priority="rotation") == 5


def test_a_missing_right_is_read_at_each_scrape(metrics: Metrics) -> None:
    """It is 0 as long as nothing is missing."""
    denied = [False]
    metrics.set_permission_denied(lambda: denied[0])
    assert sample(metrics, "pullkeeper_permission_denied") == 0
    denied[0] = True
    assert sample(metrics, "pullkeeper_permission_denied") == 1


def test_registries_are_independent(metrics: Metrics) -> None:
    """There is no global registry."""
    metrics.record_secret_write("create", "success")
    assert sample(Metrics(), "pullkeeper_secret_writes_total", operation="create", result="success") == 0


def test_without_an_installed_package_the_version_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a bare checkout."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("pullkeeper.adapters.prometheus.version", absent)
    assert b'version="unknown"' in Metrics().render()


def test_client_certificate_is_read_at_each_scrape(metrics: Metrics) -> None:
    """Once, and a renewed one counts at once; without one in use there is no series, unreadable it is 0."""
    name = "pullkeeper_client_certificate_{}_timestamp_seconds"
    assert sample(metrics, name.format("expiry"), identity="controller") is None
    found: list[CertificateInfo | None] = [None]
    reads = []

    def read() -> CertificateInfo | None:
        reads.append(found[0])
        return found[0]

    metrics.set_client_certificate("controller", read)
    assert sample(metrics, name.format("expiry"), identity="controller") == 0
    found[0] = CertificateInfo(subject="CN=a", issuer="CN=b", not_before=NOW, not_after=NOW + HOUR)
    assert sample(metrics, name.format("expiry"), identity="controller") == (NOW + HOUR).timestamp()
    assert sample(metrics, name.format("not_before"), identity="controller") == NOW.timestamp()
    reads.clear()
    metrics.render()
    assert len(reads) == 1
