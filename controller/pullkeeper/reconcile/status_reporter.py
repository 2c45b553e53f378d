"""What is reported about namespaces: log lines, Events and metrics."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from pullkeeper.domain.errors.failures import TOKEN_REASONS, Failure, FailureError, Reason
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam import principal
from pullkeeper.domain.reporting import metric_families
from pullkeeper.domain.reporting.aggregator import EventAggregator, Summary
from pullkeeper.domain.reporting.event_reasons import EventReason, event_reason, kind
from pullkeeper.domain.reporting.rate_limiter import LOG_LINES, RateLimiter
from pullkeeper.domain.reporting.state import State, expiry_state, namespace_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.domain.secret.shapes import PULL_SECRET, SecretShape
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.result import Result

logger = logging.getLogger(__name__)

WRITES = {
    Cause.CREATED: (EventReason.PULL_SECRET_CREATED, "created"),
    Cause.REPAIRED: (EventReason.PULL_SECRET_UPDATED, "put right after somebody had changed it"),
    Cause.CHANGED: (EventReason.PULL_SECRET_UPDATED, "changed"),
    Cause.REFRESHED: (EventReason.PULL_SECRET_UPDATED, "refreshed on request"),
}
"""Event and text for each cause of a write, except a rotation: that is routine."""
_ROTATED = "rotated"
_RECOVERED = "all is well again"
_NOT_RENEWED = frozenset({State.FAILING, State.EXPIRING, State.EXPIRED})
_RETRIED_AT_REQUEUE = TOKEN_REASONS | {Reason.REGISTRY_REJECTED}
"""Failures that are retried at the time of the requeue: the others wait for a change, or are backed off from."""
_DENIALS = 3
"""So many denied writes in a row are no accident of a starting API server."""
_IN_FULL = 10
"""Log this many namespaces one by one for the same failure; the rest follows as one line with their number."""


class Events(Protocol):
    """Posts Events; never fails and never waits."""

    def post(
        self,
        namespace: str,
        reason: EventReason,
        note: str,
        *,
        secret: ObservedSecret | None,
        detail: str = "",
        namespace_uid: str = "",
    ) -> None:
        """Post an Event regarding the pull Secret of a namespace; `detail` is ignored when Events are compared."""


class Metrics(Protocol):
    """The metrics about namespaces."""

    def record_secret_write(self, operation: str, result: str) -> None:
        """Count a write of a Secret."""

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """Set the state and expiry of a namespace; None removes it."""

    def forget_namespaces(self) -> None:
        """Remove all namespaces: another replica reports them now."""

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """Observe how long a namespace waited for its first Secret."""


class StatusReporter:
    """Reports the results of reconciliations; the same failure is logged once, not at every retry."""

    shape: SecretShape = PULL_SECRET
    """What `report_write` and the like are about; `AdditionalReports` is for other shapes."""

    def __init__(
        self, events: Events, metrics: Metrics, *, records: NamespaceRecords, clock: Callable[[], datetime]
    ) -> None:
        self._events = events
        self._metrics = metrics
        self._records = records
        self._clock = clock
        self._aggregator = EventAggregator()
        self._budgets = RateLimiter(LOG_LINES)
        self._denied_in_a_row = 0
        self._not_renewed = 0
        """Namespaces that began to fail since the last summary of a rotation."""
        self._added = asyncio.Event()

    def report(self, name: str, record: NamespaceRecord, results: Sequence[Result]) -> None:
        """Report the results of all reconcilers for one namespace."""
        secret = self._report_state(name, record, results)
        failures = tuple(failure for result in results for failure in result.failures)
        for result in results:
            for failure in result.failures:
                self._report_failure(name, record, failure, result, secret)
        self._report_recovery(name, record, failures, secret)
        record.reported_failures = failures

    def log(self, name: str, text: str, fields: Mapping[str, Any], *, level: int = logging.INFO) -> None:
        """Log a line about a namespace, within the namespace's budget; `fields` are those of a JSON line."""
        if self._budgets.allow(name, self._clock()):
            text = f"{text}{self._budgets.take_suppressed(name)}"
            logger.log(level, "namespace/%s: %s", name, text, extra=fields)

    @contextmanager
    def observe_write(self, operation: str, name: str) -> Iterator[None]:
        """Count a write of a pull Secret by its outcome; rotations are summed up."""
        started = self._clock()
        with self.count_write(operation):
            yield
        if operation == Cause.ROTATED:
            self._aggregate(_ROTATED, name, in_full=0, took=self._clock() - started)

    @contextmanager
    def count_write(self, operation: str) -> Iterator[None]:
        """Count a write of any Secret by its outcome."""
        result = metric_families.Result.ERROR
        try:
            yield
            result = metric_families.Result.SUCCESS
            self._denied_in_a_row = 0
        except FailureError as error:
            self._denied_in_a_row += error.failure.reason is Reason.KUBERNETES_DENIED
            raise
        finally:
            self._metrics.record_secret_write(operation, result)

    def writes_denied(self) -> bool:
        """Whether the last writes of Secrets were denied because a right is missing, as an upgrade may bring about."""
        return self._denied_in_a_row >= _DENIALS

    def report_write(
        self, name: str, record: NamespaceRecord, cause: Cause, secret: ObservedSecret, *, contested: bool
    ) -> None:
        """Report that the pull Secret was written, and how long a first one took."""
        if cause is Cause.CREATED and record.first_requested_at:
            self._metrics.observe_time_to_secret(self._clock() - record.first_requested_at)
        if cause is Cause.ROTATED:
            if logger.isEnabledFor(logging.DEBUG):  # so often that the text is not made for nobody
                logger.debug("namespace/%s: pull Secret rotated%s", name, content_of(secret), extra={"namespace": name})
            return
        if contested:
            logger.debug("namespace/%s: pull Secret put right once more", name, extra={"namespace": name})
            return
        reason, what = WRITES[cause]
        self.report_event(name, record, reason, f"pull Secret {what}{content_of(secret)}", secret)

    def report_principal(
        self, name: str, record: NamespaceRecord, before: ObservedSecret | None, after: ObservedSecret
    ) -> None:
        """Report that a pull Secret has tokens of another principal now, though of the same identity."""
        held, written = before.record if before else None, after.record
        if held is None or written is None:
            return
        for identity, who in written.principals.items():
            earlier = held.principals.get(identity, principal.UNKNOWN)
            if not principal.differ(earlier, who):
                continue
            changed = f"the principal behind {identity} has changed"
            note = f"{changed} from {earlier} to {who}: its tokens replace those of the other one"
            self._post(name, record, EventReason.PULL_SECRET_UPDATED, note, after)
            if self._aggregate(changed, name):
                self.log(name, note, {"namespace": name, "reason": EventReason.PULL_SECRET_UPDATED.value})

    def report_deletion(self, name: str, record: NamespaceRecord, secret: ObservedSecret) -> None:
        """Report that the pull Secret was deleted because none is requested any more."""
        why = "the settings do not opt it in any more" if record.opt_in_lost_at else "the namespace is opted out"
        if record.of_another_class:
            why = "the namespace is of another class, whose installation keeps another one"
        note = f"pull Secret deleted: {why}"
        self.report_event(name, record, EventReason.PULL_SECRET_DELETED, note, secret)

    def forget_namespaces(self) -> None:
        """Forget what was reported of all namespaces: another replica reports from now on."""
        self._denied_in_a_row = 0
        self._records.reset_reported()
        self._metrics.forget_namespaces()

    async def run(self) -> None:
        """Log summaries of what happened to many namespaces, until cancelled; then log what is left of them."""
        try:
            while True:
                self._added.clear()
                due = self._aggregator.flush_at
                pause = max((due - self._clock()).total_seconds(), 0) if due else None
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._added.wait()
                self._summarize(self._aggregator.flush(self._clock()))
        finally:
            self._summarize(self._aggregator.flush())

    def _report_state(self, name: str, record: NamespaceRecord, results: Sequence[Result]) -> ObservedSecret | None:
        """Set the state of a namespace by the result that has a status; return the Secret of that status."""
        state, secret, expires_at = None, None, None
        all_failures = [failure for result in results for failure in result.failures]
        reverted = [failure for failure in all_failures if failure.reason is Reason.WRITES_REVERTED]
        for result in results:
            if result.status:
                secret = result.status.secret
                state = namespace_state(
                    secret,
                    (*result.failures, *reverted),
                    now=self._clock(),
                    opted_in=result.status.opted_in,
                    outdated=result.status.outdated,
                    opting_out=result.status.opting_out,
                )
                held = secret.record if secret and secret.managed else None
                others = [each.record for each in result.status.others if each.record]
                expires_at = min((each.expires_at for each in (held, *others) if each), default=None)
                state = next(filter(None, (expiry_state(each, self._clock()) for each in others)), state)
        self._metrics.set_namespace_state(name, state, expires_at)
        self._not_renewed += state in _NOT_RENEWED and record.reported_state not in _NOT_RENEWED
        record.reported_state = state
        return secret

    def _report_failure(
        self, name: str, record: NamespaceRecord, failure: Failure, result: Result, secret: ObservedSecret | None
    ) -> None:
        if failure not in record.reported_failures:
            self._warn(name, failure, result.requeue_at if failure.reason in _RETRIED_AT_REQUEUE else None)
        if reason := event_reason(failure):
            detail = failure.detail_suffix
            self._events.post(name, reason, failure.message, secret=secret, detail=detail, namespace_uid=record.uid)

    def _report_recovery(
        self, name: str, record: NamespaceRecord, failures: tuple[Failure, ...], secret: ObservedSecret | None
    ) -> None:
        """Report the end of each kind of failure; failures of one kind come and go while their cause lasts."""
        if record.reported_state is None:
            return
        reported = record.reported_failures
        over = {kind(failure) for failure in reported} - {kind(failure) for failure in failures}
        reasons = {reason for each in reported if kind(each) in over and (reason := event_reason(each))}
        if reasons:
            note = f"{' and '.join(sorted(reasons))}: this is over"
            self._events.post(name, EventReason.RECOVERED, note, secret=secret, namespace_uid=record.uid)
        if reported and not failures and self._aggregate(_RECOVERED, name):
            extra = {"namespace": name, "reason": EventReason.RECOVERED.value}
            self.log(name, _RECOVERED, extra)

    def _aggregate(self, key: str, name: str, *, in_full: int = _IN_FULL, took: timedelta = timedelta()) -> bool:
        """Count something that happened; return whether it is one of the first, to be logged by itself."""
        if self._aggregator.flush_at is None:
            self._added.set()
        return self._aggregator.add(key, name, self._clock(), limit=in_full, took=took)

    def _summarize(self, summaries: list[Summary]) -> None:
        for summary in summaries:
            if summary.key == _ROTATED:
                fields = _rotation_fields(summary, self._not_renewed)
                logger.info("%s", _rotation_text(summary, self._not_renewed), extra=fields)
                self._not_renewed = 0
            elif summary.suppressed:
                logger.warning("the same in %d more namespaces: %s", summary.suppressed, summary.key)

    def report_event(
        self, name: str, record: NamespaceRecord, reason: EventReason, note: str, secret: ObservedSecret | None
    ) -> None:
        """Report something that happened to a Secret, in the log and by an Event."""
        self.log(name, note, {"namespace": name, "reason": reason.value})
        self._post(name, record, reason, note, secret)

    def _post(
        self, name: str, record: NamespaceRecord, reason: EventReason, note: str, secret: ObservedSecret | None
    ) -> None:
        self._events.post(name, reason, note, secret=secret, namespace_uid=record.uid)

    def _warn(self, name: str, failure: Failure, next_try: datetime | None) -> None:
        again = f"; next try at {next_try:%H:%M:%SZ}" if next_try else ""
        text, fields = f"{failure}{again}", _failure_fields(name, failure, next_try)
        if self._aggregate(f"{failure.message} ({failure.reason})", name):
            self.log(name, text, fields, level=logging.WARNING)
        else:
            logger.debug("namespace/%s: %s", name, text, extra=fields)


def content_of(secret: ObservedSecret) -> str:
    """Return what a Secret holds and how long it is good, as the end of a sentence."""
    record = secret.record
    if record is None:
        return ""
    return f" for {listed(record.registries)}; the token is good until {record.expires_at:%Y-%m-%d %H:%M:%SZ}"


def _failure_fields(name: str, failure: Failure, next_try: datetime | None) -> dict[str, Any]:
    """Return the fields of a JSON log line beside its message."""
    fields = {
        "namespace": name,
        "reason": failure.reason.value,
        "identity": failure.identity,
        "region": failure.region,
        "next_try": f"{next_try:%FT%TZ}" if next_try else None,
    }
    return {key: value for key, value in fields.items() if value}


def _rotation_text(summary: Summary, failed: int) -> str:
    many = f"{summary.count:,} pull Secrets" if summary.count > 1 else "1 pull Secret"
    slowest = f"the slowest write took {summary.slowest.total_seconds():.2f} s (namespace/{summary.slowest_name})"
    lasted = timedelta(seconds=round(summary.lasted.total_seconds()))
    return f"rotated {many} within {lasted}; {slowest}; {failed or 'none'} could not be renewed"


def _rotation_fields(summary: Summary, failed: int) -> dict[str, Any]:
    return {
        "rotated": summary.count,
        "seconds": round(summary.lasted.total_seconds(), 3),
        "slowest_seconds": round(summary.slowest.total_seconds(), 3),
        "slowest_namespace": summary.slowest_name,
        "failed": failed,
    }
