"""Events in the namespaces: queued without waiting, and repeated as a series instead of a flood.

The name of an Event is a hash of its text, so that a restarted process or another replica finds and continues it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.dropped_events import DroppedEvents
from pullkeeper.domain.errors.failures import FailureError, NotLeadingError
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.kube.api import CONFLICT, NOT_FOUND, Response
from pullkeeper.domain.kube.timestamps import format_timestamp
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.last_warning import REPORTER
from pullkeeper.domain.reporting.metric_families import DroppedEvent
from pullkeeper.domain.reporting.rate_limiter import EVENTS, RateLimiter
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount

_MAX_QUEUED = 1000
_REPEAT_AFTER = timedelta(minutes=5)
"""Repetitions within this time are only counted; the next one after it reports the count."""
_MAX_NOTE_BYTES = 1024
"""The API server rejects Events with a longer note."""
_MAX_NAME_PREFIX = 200
_MAX_SERIES = 20_000
_SERIES_KEPT = timedelta(hours=1)
"""As long as the API server keeps an Event by default: what is not repeated for so long starts over anyway."""


@dataclass(frozen=True, slots=True)
class _Id:
    """Identifies an Event: the same id is the same Event, repeated."""

    namespace: str
    name: str
    uid: str
    """Of the namespace, or of the ServiceAccount: made anew under its name, it has Events of its own."""


@dataclass(kw_only=True, slots=True)
class _Series:
    sent_at: datetime
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Posting:
    id: _Id
    series: _Series
    count: int
    at: datetime
    event: dict[str, Any]


class EventRecorder:
    """Posts Events regarding the pull Secret of a namespace or a ServiceAccount."""

    def __init__(
        self,
        client: ApiClient,
        *,
        secret_name: str,
        instance: str,
        clock: Callable[[], datetime],
        record_dropped: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._client = client
        self._secret_name = secret_name
        self._instance = instance
        self._clock = clock
        self._series: dict[_Id, _Series] = {}
        self._budgets = RateLimiter(EVENTS)
        self._queue: asyncio.Queue[_Posting] = asyncio.Queue(_MAX_QUEUED)
        self._dropped = DroppedEvents(record_dropped, clock=clock)

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
        """Queue an Event regarding the pull Secret, or drop it if the queue is full or the namespace's budget used up.

        Events with the same reason and note are one Event, whatever the `detail` that is appended to the note.
        """
        regarding = {"kind": "Secret", "name": self._secret_name}
        if secret:
            regarding |= {"name": secret.name or self._secret_name, "uid": secret.uid}
        self._post(_Id(namespace, self._name(reason, note), namespace_uid), reason, f"{note}{detail}", regarding)

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        """Queue an Event regarding a ServiceAccount, or drop it as above."""
        regarding = {"kind": "ServiceAccount", "name": account.name, "uid": account.uid}
        self._post(_Id(account.namespace, self._name(reason, note), account.uid), reason, note, regarding)

    def _post(self, event_id: _Id, reason: EventReason, note: str, regarding: Mapping[str, str]) -> None:
        now = self._clock()
        series = self._series.get(event_id)
        if series is None:
            if not self._budgets.allow(event_id.namespace, now):
                return
            note += self._budgets.take_suppressed(event_id.namespace)
            series = self._start_series(event_id, now)
        else:
            series.count += 1
            if now - series.sent_at < _REPEAT_AFTER:
                return
            series.sent_at = now
            self._series[event_id] = self._series.pop(event_id)  # in the order in which they were sent
        event = self._event(event_id, reason, note, now, regarding)
        self._enqueue(_Posting(id=event_id, series=series, count=series.count, at=now, event=event))

    async def run(self) -> None:
        """Send queued Events until cancelled, and say how many could not be sent."""
        try:
            while True:
                await self._send_next()
        finally:
            while not self._queue.empty():
                self._drop(self._queue.get_nowait(), DroppedEvent.STOPPED)
                self._queue.task_done()
            self._dropped.tell()

    async def _send_next(self) -> None:
        try:
            async with asyncio.timeout(self._dropped.pause()):
                posting = await self._queue.get()
        except TimeoutError:
            self._dropped.tell()
            return
        try:
            response = await self._send(posting)
            if not response.ok:
                self._drop(posting, DroppedEvent.REFUSED, f"status {response.status}")
        except (FailureError, NotLeadingError) as error:
            self._drop(posting, DroppedEvent.REFUSED, str(error))
        finally:
            self._queue.task_done()

    async def drained(self) -> None:
        """Wait until every queued Event has been sent or dropped."""
        await self._queue.join()

    def _name(self, reason: str, note: str) -> str:
        digest = hashlib.blake2b(f"{reason} {note}".encode(), digest_size=8).hexdigest()
        return f"{self._secret_name[:_MAX_NAME_PREFIX].rstrip('.-')}.{digest}"

    def _start_series(self, event_id: _Id, now: datetime) -> _Series:
        self._forget_old(now)
        self._series[event_id] = series = _Series(sent_at=now)
        return series

    def _forget_old(self, now: datetime) -> None:
        while self._series:
            oldest = next(iter(self._series))
            if len(self._series) < _MAX_SERIES and now - self._series[oldest].sent_at <= _SERIES_KEPT:
                return
            del self._series[oldest]

    def _enqueue(self, posting: _Posting) -> None:
        try:
            self._queue.put_nowait(posting)
        except asyncio.QueueFull:
            self._drop(posting, DroppedEvent.QUEUE_FULL)

    def _drop(self, posting: _Posting, reason: DroppedEvent, error: str = "") -> None:
        """Forget the series, so that its next Event is created and does not continue one that does not exist."""
        self._dropped.add(reason, error)
        self._series.pop(posting.id, None)

    async def _send(self, posting: _Posting) -> Response:
        if posting.count > 1:
            response = await self._patch(posting, posting.count)
            if response.status != NOT_FOUND:
                return response
            # The API server has deleted the Event, which it keeps for about an hour: the series starts over.
            posting.series.count -= posting.count - 1
        path = f"/apis/events.k8s.io/v1/namespaces/{posting.id.namespace}/events"
        response = await self._client.request("create", path, body=posting.event)
        return await self._continue(posting) if response.status == CONFLICT else response

    async def _continue(self, posting: _Posting) -> Response:
        """Continue the series of an Event that another process has created.

        A patch without a count tells it: the API server rejects the patch if the Event has no series yet, and otherwise
        changes only the time and returns the count.
        """
        response = await self._patch(posting, None)
        series = response.body.get("series") if response.ok else None
        count = (series or {}).get("count") or 1
        posting.series.count += count
        return await self._patch(posting, count + 1)

    async def _patch(self, posting: _Posting, count: int | None) -> Response:
        path = f"/apis/events.k8s.io/v1/namespaces/{posting.id.namespace}/events/{posting.id.name}"
        series = {"lastObservedTime": _micro_time(posting.at)} | ({"count": count} if count else {})
        content_type = "application/merge-patch+json"
        return await self._client.request("patch", path, body={"series": series}, content_type=content_type)

    def _event(
        self, event_id: _Id, reason: EventReason, note: str, now: datetime, regarding: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": event_id.name, "namespace": event_id.namespace},
            "eventTime": _micro_time(now),
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "action": "Keep",
            "reason": reason.value,
            "note": printable(note, _MAX_NOTE_BYTES).encode()[:_MAX_NOTE_BYTES].decode(errors="ignore"),
            "type": "Warning" if reason.warning else "Normal",
            "regarding": {"apiVersion": "v1", "namespace": event_id.namespace, **regarding},
        }


def _micro_time(moment: datetime) -> str:
    return format_timestamp(moment, "microseconds")
