"""What is said of a namespace: one log line, one Event and the metrics for each thing that happened to it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.reporting.aggregator import EventAggregator, Summary
from pullkeeper.domain.reporting.event_reasons import EventReason, event_reason, kind
from pullkeeper.domain.reporting.metric_families import Result
from pullkeeper.domain.reporting.state import State, namespace_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause

logger = logging.getLogger(__name__)

_SAID = {
    Cause.CREATED: (EventReason.PULL_SECRET_CREATED, "created"),
    Cause.REPAIRED: (EventReason.PULL_SECRET_UPDATED, "put right after somebody had changed it"),
    Cause.CHANGED: (EventReason.PULL_SECRET_UPDATED, "changed"),
    Cause.REFRESHED: (EventReason.PULL_SECRET_UPDATED, "refreshed on request"),
}
"""A rotation is not among them: it is what is expected."""
_ROTATED = "rotated"
_NOT_RENEWED = frozenset({State.FAILING, State.EXPIRING, State.EXPIRED})
_WELL_AGAIN = "all is well again"
_IN_FULL = 10
"""So many namespaces are told one by one of the same trouble; the others follow as one line with their number."""


class Events(Protocol):
    """Whoever posts Events; it never fails and never waits."""

    def post(
        self, namespace: str, reason: EventReason, note: str, *, secret: ObservedSecret | None, detail: str = ""
    ) -> None:
        """Post an Event in the namespace, regarding its pull Secret; the detail makes no other Event of it."""


class Meters(Protocol):
    """Whoever counts."""

    def record_secret_write(self, operation: str, result: str) -> None:
        """A Secret was written, or was not."""

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """How a namespace stands; None where there is nothing to keep."""

    def forget_namespaces(self) -> None:
        """Another replica tells of all namespaces now."""

    def observe_time_to_secret(self, wait: timedelta) -> None:
        """A namespace got its first Secret, so long after it was seen to ask."""


class StatusReporter:
    """Turns what happens into words and figures; the same trouble is logged once, not at every try."""

    def __init__(self, events: Events, meters: Meters, *, clock: Callable[[], datetime]) -> None:
        self._events = events
        self._meters = meters
        self._clock = clock
        self._told: dict[str, tuple[Failure, ...]] = {}
        self._digest = EventAggregator()
        self._failed = 0
        """So many namespaces began to fail since the last summary of a rotation."""
        self._added = asyncio.Event()

    @contextmanager
    def writing(self, operation: str, name: str) -> Iterator[None]:
        """Count a write of a Secret by how it ends."""
        started, result = self._clock(), Result.ERROR
        try:
            yield
            result = Result.SUCCESS
        finally:
            self._meters.record_secret_write(operation, result)
        if operation == Cause.ROTATED:
            self._told_in_full(_ROTATED, name, in_full=0, took=self._clock() - started)

    def wrote(self, name: str, cause: Cause, secret: ObservedSecret, waited: timedelta | None) -> None:
        """Tell that the pull Secret was written; `waited` is how long a first one took."""
        if waited is not None:
            self._meters.observe_time_to_secret(waited)
        if cause is Cause.ROTATED:
            logger.debug("namespace/%s: pull Secret rotated%s", name, _holding(secret), extra={"namespace": name})
            return
        reason, what = _SAID[cause]
        self._say(name, reason, f"pull Secret {what}{_holding(secret)}", secret)

    @contextmanager
    def removing(self, name: str, secret: ObservedSecret) -> Iterator[None]:
        """Count and tell that the pull Secret is deleted because nobody asks for it any more, or could not be."""
        try:
            with self.writing("delete", name):
                yield
        except FailureError as error:
            self.stands(name, secret, (error.failure,), opted_in=False)
            raise
        self._say(name, EventReason.PULL_SECRET_DELETED, "pull Secret deleted: the namespace is opted out", secret)

    def stands(
        self,
        name: str,
        secret: ObservedSecret | None,
        failures: tuple[Failure, ...],
        next_try: datetime | None = None,
        *,
        opted_in: bool = True,
    ) -> None:
        """Tell how the namespace stands now, and when what failed is tried again."""
        ours = secret if secret and secret.managed else None
        published = ours.record if ours else None
        expires_at = published.expires_at if published else None
        state = namespace_state(secret, failures, now=self._clock(), opted_in=opted_in)
        self._meters.set_namespace_state(name, state, expires_at)
        told = self._told.get(name, ())
        self._failed += state in _NOT_RENEWED and not told
        for failure in failures:
            if failure not in told:
                self._warn(name, failure, next_try)
            if reason := event_reason(failure):
                self._events.post(name, reason, failure.message, secret=secret, detail=failure.detail_suffix)
        self._tell_ends(name, secret, told, failures)
        self._told[name] = failures
        if not failures:
            del self._told[name]

    def forget(self, name: str) -> None:
        """Drop what was said of a namespace that asks for nothing any more."""
        self._told.pop(name, None)
        self._meters.set_namespace_state(name, None, None)

    def forget_namespaces(self) -> None:
        """Drop what was said of all namespaces: another replica tells it from now on."""
        self._told.clear()
        self._meters.forget_namespaces()

    async def run(self) -> None:
        """Tell the summaries of what happened to many, until cancelled; then tell what is left of them."""
        try:
            while True:
                self._added.clear()
                due = self._digest.flush_at
                pause = max((due - self._clock()).total_seconds(), 0) if due else None
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._added.wait(), pause)
                self._summarize(self._digest.flush(self._clock()))
        finally:
            self._summarize(self._digest.flush())

    def _told_in_full(self, what: str, name: str, *, in_full: int = _IN_FULL, took: timedelta = timedelta()) -> bool:
        if self._digest.flush_at is None:
            self._added.set()
        return self._digest.add(what, name, self._clock(), limit=in_full, took=took)

    def _summarize(self, summaries: list[Summary]) -> None:
        for summary in summaries:
            if summary.key == _ROTATED:
                logger.info("%s", _rotation(summary, self._failed), extra=_figures(summary, self._failed))
                self._failed = 0
            elif summary.suppressed:
                logger.warning("the same in %d more namespaces: %s", summary.suppressed, summary.key)

    def _say(self, name: str, reason: EventReason, note: str, secret: ObservedSecret | None) -> None:
        logger.info("namespace/%s: %s", name, note, extra={"namespace": name, "reason": reason.value})
        self._events.post(name, reason, note, secret=secret)

    def _warn(self, name: str, failure: Failure, next_try: datetime | None) -> None:
        level = logging.WARNING if self._told_in_full(f"{failure.message} ({failure.reason})", name) else logging.DEBUG
        again = f"; next try at {next_try:%H:%M:%SZ}" if next_try else ""
        logger.log(level, "namespace/%s: %s%s", name, failure, again, extra=_fields(name, failure, next_try))

    def _tell_ends(
        self, name: str, secret: ObservedSecret | None, told: tuple[Failure, ...], failures: tuple[Failure, ...]
    ) -> None:
        """Say of each kind of trouble that it is over; kinds of the same cause, which come and go, are one."""
        over = {kind(failure) for failure in told} - {kind(failure) for failure in failures}
        reasons = {reason for each in told if kind(each) in over and (reason := event_reason(each))}
        if reasons:
            note = f"{' and '.join(sorted(reasons))}: this is over"
            self._events.post(name, EventReason.RECOVERED, note, secret=secret)
        if told and not failures and self._told_in_full(_WELL_AGAIN, name):
            extra = {"namespace": name, "reason": EventReason.RECOVERED.value}
            logger.info("namespace/%s: %s", name, _WELL_AGAIN, extra=extra)


def _holding(secret: ObservedSecret) -> str:
    held = secret.record
    if held is None:
        return ""
    hosts = ", ".join(host.name for host in held.registries)
    return f" for {hosts}; the token is good until {held.expires_at:%Y-%m-%d %H:%M:%SZ}"


def _fields(name: str, failure: Failure, next_try: datetime | None) -> dict[str, Any]:
    """Give what a JSON log line says beside its message."""
    found = {
        "namespace": name,
        "reason": failure.reason.value,
        "identity": failure.identity,
        "region": failure.region,
        "next_try": f"{next_try:%FT%TZ}" if next_try else None,
    }
    return {key: value for key, value in found.items() if value}


def _rotation(summary: Summary, failed: int) -> str:
    many = f"{summary.count:,} pull Secrets" if summary.count > 1 else "1 pull Secret"
    slowest = f"the slowest write took {summary.slowest.total_seconds():.2f} s (namespace/{summary.slowest_name})"
    lasted = timedelta(seconds=round(summary.lasted.total_seconds()))
    return f"rotated {many} within {lasted}; {slowest}; {failed or 'none'} could not be renewed"


def _figures(summary: Summary, failed: int) -> dict[str, Any]:
    return {
        "rotated": summary.count,
        "seconds": round(summary.lasted.total_seconds(), 3),
        "slowest_seconds": round(summary.slowest.total_seconds(), 3),
        "slowest_namespace": summary.slowest_name,
        "failed": failed,
    }
