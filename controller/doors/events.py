"""Events in the target namespaces: queued, never waited for; what repeats becomes a series, not a flood."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from controller.core.api import Answer
from controller.core.attachment import ObservedAccount
from controller.core.observed_secret import ObservedSecret
from controller.core.reasons import FailureError, NotLeadingError
from controller.core.warning import REPORTER

logger = logging.getLogger(__name__)

_QUEUE = 1000
_REPEAT_AFTER = timedelta(minutes=5)
"""The same Event again within this time is only counted, and told with the next one."""
_FORGET_AFTER = timedelta(minutes=50)
"""API servers keep Events for an hour unless told otherwise; after that a repetition is a new one."""
_LONGEST_NOTE = 1024
_REMEMBERED = 5000


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(self, verb: str, path: str, *, body: object = None, content_type: str = ...) -> Answer:
        """Make one request."""
        ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two Events the same one."""

    namespace: str
    reason: str
    note: str


@dataclass(kw_only=True, slots=True)
class _Series:
    name: str
    first_at: datetime
    told_at: datetime
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Posting:
    kind: _Kind
    verb: str
    path: str
    body: dict[str, Any]
    content_type: str


class Events:
    """Posts Events regarding the pull Secret of a namespace, or a ServiceAccount."""

    def __init__(
        self, connection: Connection, *, secret_name: str, instance: str, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._secret_name = secret_name
        self._instance = instance
        self._clock = clock
        self._series: dict[_Kind, _Series] = {}
        self._queue: asyncio.Queue[_Posting] = asyncio.Queue(_QUEUE)

    def post(
        self,
        namespace: str,
        reason: str,
        note: str,
        *,
        warning: bool,
        secret: ObservedSecret | None,
        detail: str = "",
    ) -> None:
        """Queue an Event; when too many wait, it is dropped: the log and the metrics say the same.

        The same note is the same Event, whatever the `detail` that is shown behind it.
        """
        regarding = {"kind": "Secret", "name": self._secret_name, **({"uid": secret.uid} if secret else {})}
        self._post(_Kind(namespace, reason, note), regarding, warning=warning, detail=detail)

    def post_on(self, account: ObservedAccount, reason: str, note: str) -> None:
        """Queue a normal Event regarding a ServiceAccount."""
        regarding = {"kind": "ServiceAccount", "name": account.name, "uid": account.uid}
        self._post(_Kind(account.namespace, reason, note), regarding)

    def _post(self, kind: _Kind, regarding: Mapping[str, str], *, warning: bool = False, detail: str = "") -> None:
        now = self._clock()
        series = self._series.get(kind)
        if series and now - series.first_at < _FORGET_AFTER:
            self._repeat(kind, series, now)
            return
        name = f"{self._secret_name}.{uuid4().hex[:16]}"
        if len(self._series) >= _REMEMBERED:
            self._series.pop(next(iter(self._series)))
        self._series[kind] = _Series(name=name, first_at=now, told_at=now)
        path = f"/apis/events.k8s.io/v1/namespaces/{kind.namespace}/events"
        body = self._event(name, kind, now, detail=detail, warning=warning, regarding=regarding)
        self._put(_Posting(kind=kind, verb="create", path=path, body=body, content_type="application/json"))

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        while True:
            posting = await self._queue.get()
            try:
                answer = await self._connection.request(
                    posting.verb, posting.path, body=posting.body, content_type=posting.content_type
                )
                if not answer.ok:
                    self._lost(posting, f"status {answer.status}")
            except (FailureError, NotLeadingError) as error:
                self._lost(posting, str(error))
            finally:
                self._queue.task_done()

    def _lost(self, posting: _Posting, why: str) -> None:
        """Forget the Event, so that the next of its kind is made anew and not counted on one that is not there."""
        logger.debug("an Event was not taken: %s", why)
        self._series.pop(posting.kind, None)

    async def drained(self) -> None:
        """Wait until everything that was queued is sent."""
        await self._queue.join()

    def _repeat(self, kind: _Kind, series: _Series, now: datetime) -> None:
        series.count += 1
        if now - series.told_at < _REPEAT_AFTER:
            return
        series.told_at = now
        path = f"/apis/events.k8s.io/v1/namespaces/{kind.namespace}/events/{series.name}"
        body = {"series": {"count": series.count, "lastObservedTime": _micro(now)}}
        content_type = "application/merge-patch+json"
        self._put(_Posting(kind=kind, verb="patch", path=path, body=body, content_type=content_type))

    def _put(self, posting: _Posting) -> None:
        try:
            self._queue.put_nowait(posting)
        except asyncio.QueueFull:
            self._lost(posting, f"{_QUEUE} wait already")

    def _event(
        self, name: str, kind: _Kind, now: datetime, *, detail: str, warning: bool, regarding: Mapping[str, str]
    ) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": kind.namespace},
            "eventTime": _micro(now),
            "reportingController": REPORTER,
            "reportingInstance": self._instance,
            "action": "Keep",
            "reason": kind.reason,
            "note": _cut(f"{kind.note}{detail}"),
            "type": "Warning" if warning else "Normal",
            "regarding": {"apiVersion": "v1", "namespace": kind.namespace, **regarding},
        }


def _cut(note: str) -> str:
    """Cut to what the API server takes, which counts bytes."""
    return note.encode()[:_LONGEST_NOTE].decode(errors="ignore")


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
