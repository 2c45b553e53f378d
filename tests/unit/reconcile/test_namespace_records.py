"""What is remembered of a Namespace, and when that ends."""

from datetime import timedelta

import pytest

from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.reconcile.cached_kinds import namespace_cache
from pullkeeper.reconcile.caches import ResourceCache
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from tests.unit.reconcile.test_status_reporter import DENIED
from testsupport.examples import NOW

MINUTE = timedelta(minutes=1)
ON = {"enabled": "true"}


class RecordsHarness:
    """Records behind a cache of Namespaces, as the container builds them, with a policy that a test changes."""

    def __init__(self) -> None:
        self.now = NOW
        self.opts_everyone_in = False
        self.version = 0
        self.records = NamespaceRecords(
            applies_to=lambda namespace: namespace.is_requested or self.opts_everyone_in, clock=lambda: self.now
        )
        self.namespaces: ResourceCache[ObservedNamespace] = namespace_cache(lambda _: None, self.records)

    def namespace(self, annotations: dict[str, str] | None = None, *, uid: str = "1") -> ObservedNamespace:
        self.version += 1
        return ObservedNamespace(name="a", uid=uid, resource_version=self.version, annotations=annotations or {})

    def upsert(self, annotations: dict[str, str] | None = None, *, uid: str = "1") -> None:
        self.namespaces.upsert(self.namespace(annotations, uid=uid))


@pytest.fixture
def harness() -> RecordsHarness:
    return RecordsHarness()


def test_request_begins_when_it_is_first_observed(harness: RecordsHarness) -> None:
    """Later changes do not move it; it ends with the annotations, and begins anew with new ones."""
    harness.upsert()
    assert harness.records.get("a").first_requested_at is None
    harness.now += MINUTE
    harness.upsert(ON)
    harness.now += MINUTE
    harness.upsert({**ON, "refresh-requested-at": "1"})
    assert harness.records.get("a").first_requested_at == NOW + MINUTE
    harness.upsert()
    assert harness.records.get("a").first_requested_at is None
    harness.upsert(ON)
    assert harness.records.get("a").first_requested_at == NOW + 2 * MINUTE


def test_request_begins_when_a_reloaded_policy_first_applies(harness: RecordsHarness) -> None:
    """No event comes for a namespace that the policy opts in; nor does one end it."""
    harness.upsert()
    harness.now += MINUTE
    harness.opts_everyone_in = True
    harness.namespaces.enqueue_all()
    harness.now += MINUTE
    harness.namespaces.enqueue_all()
    assert harness.records.get("a").first_requested_at == NOW + MINUTE
    harness.opts_everyone_in = False
    harness.namespaces.enqueue_all()
    assert harness.records.get("a").first_requested_at is None


def test_namespace_that_opts_out_requests_nothing(harness: RecordsHarness) -> None:
    """When it opts in later, it has not waited since the day it opted out."""
    harness.upsert({"enabled": "false"})
    assert harness.records.get("a").first_requested_at is None
    harness.now += MINUTE
    harness.upsert(ON)
    assert harness.records.get("a").first_requested_at == NOW + MINUTE


def test_namespace_made_anew_starts_afresh(harness: RecordsHarness) -> None:
    """Whether its deletion was observed or not."""
    for uid, missed in (("2", False), ("3", True)):
        harness.upsert(ON, uid="1")
        harness.records.get("a").failed_attempts = 5
        if not missed:
            harness.namespaces.delete(harness.namespace())
        harness.upsert(ON, uid=uid)
        record = harness.records.get("a")
        assert (record.uid, record.failed_attempts) == (uid, 0)


def test_record_goes_with_its_namespace(harness: RecordsHarness) -> None:
    """What is remembered of one that does not exist is kept by nobody."""
    harness.upsert(ON)
    harness.records.get("a").failed_attempts = 5
    harness.namespaces.delete(harness.namespace())
    assert harness.records.get("a").failed_attempts == 0
    harness.records.get("a").failed_attempts = 5
    assert harness.records.get("a").failed_attempts == 0
    assert harness.records._records == {}  # noqa: SLF001 -- a leak has no other symptom


def test_reset_keeps_only_a_new_request(harness: RecordsHarness) -> None:
    """A namespace may opt in again while its Secret is being deleted."""
    harness.upsert(ON)
    harness.records.get("a").failed_attempts = 5
    harness.records.reset("a")
    assert harness.records.get("a").failed_attempts == 0
    assert harness.records.get("a").first_requested_at == NOW
    harness.upsert()
    harness.records.reset("a")
    harness.records.reset("unknown")
    assert harness.records._records == {}  # noqa: SLF001 -- a leak has no other symptom


def test_another_replica_reports_from_now_on(harness: RecordsHarness) -> None:
    """What was reported is forgotten, and nothing else."""
    harness.upsert(ON)
    record = harness.records.get("a")
    record.reported_failures, record.reported_state, record.failed_attempts = (DENIED,), State.FAILING, 5
    harness.records.reset_reported()
    assert record == NamespaceRecord(uid="1", first_requested_at=NOW, failed_attempts=5)
