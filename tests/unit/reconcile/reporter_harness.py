"""A status reporter, and what it posts and counts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pullkeeper.domain.errors.failures import Failure
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import StatusReporter
from testsupport.virtual_time import now


@dataclass
class RecordedReports:
    """The Events and metrics of a reporter."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    event_uids: list[str] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)
    states: list[tuple[str, str | None, datetime | None]] = field(default_factory=list)
    times_to_secret: list[timedelta] = field(default_factory=list)

    def post(
        self,
        namespace: str,
        reason: EventReason,
        note: str,
        *,
        secret: ObservedSecret | None,  # noqa: ARG002 -- the protocol's
        detail: str = "",
        namespace_uid: str = "",
    ) -> None:
        self.events.append((namespace, reason.value, note + detail))
        self.event_uids.append(namespace_uid)

    def record_secret_write(self, operation: str, result: str) -> None:
        self.writes.append((operation, result))

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        self.states.append((namespace, state, expires_at))

    def forget_namespaces(self) -> None:
        self.states.clear()

    def observe_time_to_secret(self, wait: timedelta) -> None:
        self.times_to_secret.append(wait)


class ReporterHarness:
    """A reporter with the records of Namespaces that exist when they are first reported."""

    def __init__(self) -> None:
        self.recorded = RecordedReports()
        self.records = NamespaceRecords(applies_to=lambda _: True, clock=now)
        self.reporter = StatusReporter(self.recorded, self.recorded, records=self.records, clock=now)

    def exists(self, name: str, uid: str = "") -> None:
        """Let a Namespace exist, in the place of any other of its name."""
        self.records.observe(ObservedNamespace(name=name, uid=uid or name, resource_version=1))

    def report_all(self, name: str, *results: Result) -> None:
        if not self.records.get(name).uid:
            self.exists(name)
        self.reporter.report(name, self.records.get(name), results)

    def report(
        self, name: str, secret: ObservedSecret | None, *failures: Failure, requeue_at: datetime | None = None
    ) -> None:
        """Report one result that has a status."""
        self.report_all(name, Result(status=Status(secret=secret), failures=failures, requeue_at=requeue_at))

    def report_write(self, name: str, cause: Cause, secret: ObservedSecret) -> None:
        self.reporter.report_write(name, self.records.get(name), cause, secret, contested=False)

    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.recorded.events]
