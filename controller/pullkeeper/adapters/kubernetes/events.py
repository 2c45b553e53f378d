"""Events in the target namespaces: queued, never waited for; what repeats becomes a series, not a flood.

An Event's name is made from what it says, so that the same one is found again: after a restart, and by another replica.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pullkeeper.domain.errors.failures import FailureError, NotLeadingError
from pullkeeper.domain.kube.api import CONFLICT, NOT_FOUND, Response
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.last_warning import REPORTER
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount

logger = logging.getLogger(__name__)

_QUEUE = 1000
_REPEAT_AFTER = timedelta(minutes=5)
"""The same Event again within this time is only counted, and told with the next one."""
_LONGEST_NOTE = 1024
_LONGEST_PREFIX = 200
_REMEMBERED = 20_000


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(self, verb: str, path: str, *, body: object = None, content_type: str = ...) -> Response:
        """Make one request."""
        ...


@dataclass(frozen=True, slots=True)
class _Id:
    """What makes two Events the same one: the namespace, and the name that comes of what is said."""

    namespace: str
    name: str


@dataclass(kw_only=True, slots=True)
class _Series:
    told_at: datetime
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Posting:
    id: _Id
    series: _Series
    count: int
    at: datetime
    event: dict[str, Any]


class EventRecorder:
    """Posts Events regarding the pull Secret of a namespace, or a ServiceAccount."""

    def __init__(
        self, connection: Connection, *, secret_name: str, instance: str, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._secret_name = secret_name
        self._instance = instance
        self._clock = clock
        self._series: dict[_Id, _Series] = {}
        self._queue: asyncio.Queue[_Posting] = asyncio.Queue(_QUEUE)

    def post(
        self, namespace: str, reason: EventReason, note: str, *, secret: ObservedSecret | None, detail: str = ""
    ) -> None:
        """Queue an Event; when too many wait, it is dropped: the log and the metrics say the same.

        The same note is the same Event, whatever the `detail` that is shown behind it.
        """
        regarding = {"kind": "Secret", "name": self._secret_name, **({"uid": secret.uid} if secret else {})}
        self._post(_Id(namespace, self._name(reason, note)), reason, f"{note}{detail}", regarding)

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        """Queue an Event regarding a ServiceAccount."""
        regarding = {"kind": "ServiceAccount", "name": account.name, "uid": account.uid}
        self._post(_Id(account.namespace, self._name(reason, note)), reason, note, regarding)

    def _post(self, found: _Id, reason: EventReason, note: str, regarding: Mapping[str, str]) -> None:
        now = self._clock()
        series = self._series.get(found)
        if series is None:
            series = self._remember(found, now)
        else:
            series.count += 1
            if now - series.told_at < _REPEAT_AFTER:
                return
            series.told_at = now
        event = self._event(found, reason, note, now, regarding)
        self._put(_Posting(id=found, series=series, count=series.count, at=now, event=event))

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        while True:
            posting = await self._queue.get()
            try:
                answer = await self._tell(posting)
                if not answer.ok:
                    self._lost(posting, f"status {answer.status}")
            except (FailureError, NotLeadingError) as error:
                self._lost(posting, str(error))
            finally:
                self._queue.task_done()

    async def drained(self) -> None:
        """Wait until everything that was queued is sent."""
        await self._queue.join()

    def _name(self, reason: str, note: str) -> str:
        said = hashlib.blake2b(f"{reason} {note}".encode(), digest_size=8).hexdigest()
        return f"{self._secret_name[:_LONGEST_PREFIX].rstrip('.-')}.{said}"

    def _remember(self, found: _Id, now: datetime) -> _Series:
        if len(self._series) >= _REMEMBERED:
            del self._series[next(iter(self._series))]
        self._series[found] = series = _Series(told_at=now)
        return series

    def _lost(self, posting: _Posting, why: str) -> None:
        """Forget the Event, so that the next of its kind is made anew and not counted on one that is not there."""
        logger.debug("an Event was not taken: %s", why)
        self._series.pop(posting.id, None)

    def _put(self, posting: _Posting) -> None:
        try:
            self._queue.put_nowait(posting)
        except asyncio.QueueFull:
            self._lost(posting, f"{_QUEUE} wait already")

    async def _tell(self, posting: _Posting) -> Response:
        if posting.count > 1:
            answer = await self._repeat(posting, posting.count)
            if answer.status != NOT_FOUND:
                return answer
            # The API server keeps Events for a while only: what it has dropped begins anew.
            posting.series.count -= posting.count - 1
        path = f"/apis/events.k8s.io/v1/namespaces/{posting.id.namespace}/events"
        answer = await self._connection.request("create", path, body=posting.event)
        return await self._go_on(posting) if answer.status == CONFLICT else answer

    async def _go_on(self, posting: _Posting) -> Response:
        """Go on with an Event that was there before this process was: a patch tells its count.

        A series with a time and no count is refused where there is none yet, and changes only the time where there is.
        """
        answer = await self._repeat(posting, None)
        told = answer.body["series"]["count"] if answer.ok else 1
        posting.series.count += told
        return await self._repeat(posting, told + 1)

    async def _repeat(self, posting: _Posting, count: int | None) -> Response:
        path = f"/apis/events.k8s.io/v1/namespaces/{posting.id.namespace}/events/{posting.id.name}"
        series = {"lastObservedTime": _micro(posting.at)} | ({"count": count} if count else {})
        content_type = "application/merge-patch+json"
        return await self._connection.request("patch", path, body={"series": series}, content_type=content_type)

    def _event(
        self, found: _Id, reason: EventReason, note: str, now: datetime, regarding: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": found.name, "namespace": found.namespace},
            "eventTime": _micro(now),
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "action": "Keep",
            "reason": reason.value,
            "note": _cut(note),
            "type": "Warning" if reason.warning else "Normal",
            "regarding": {"apiVersion": "v1", "namespace": found.namespace, **regarding},
        }


def _cut(note: str) -> str:
    """Cut to what the API server takes, which counts bytes."""
    return note.encode()[:_LONGEST_NOTE].decode(errors="ignore")


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
