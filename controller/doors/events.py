"""Events in the target namespaces: queued, never waited for; what repeats becomes a series, not a flood."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from controller.core.api import Answer
from controller.core.observed_secret import ObservedSecret
from controller.core.pull_secret import MANAGER
from controller.core.reasons import FailureError

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


class Events:
    """Posts Events regarding the pull Secret of a namespace."""

    def __init__(
        self, connection: Connection, *, secret_name: str, instance: str, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._secret_name = secret_name
        self._instance = instance
        self._clock = clock
        self._series: dict[_Kind, _Series] = {}
        self._queue: asyncio.Queue[tuple[str, str, dict[str, Any], str]] = asyncio.Queue(_QUEUE)

    def post(self, namespace: str, reason: str, note: str, *, warning: bool, secret: ObservedSecret | None) -> None:
        """Queue an Event; when too many wait, it is dropped: the log and the metrics say the same."""
        kind = _Kind(namespace, reason, note[:_LONGEST_NOTE])
        now = self._clock()
        series = self._series.get(kind)
        if series and now - series.first_at < _FORGET_AFTER:
            self._repeat(kind, series, now)
            return
        name = f"{self._secret_name}.{uuid4().hex[:16]}"
        if len(self._series) >= _REMEMBERED:
            self._series.pop(next(iter(self._series)))
        self._series[kind] = _Series(name=name, first_at=now, told_at=now)
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        self._put("create", path, self._event(name, kind, now, warning=warning, secret=secret), "application/json")

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        while True:
            verb, path, body, content_type = await self._queue.get()
            try:
                answer = await self._connection.request(verb, path, body=body, content_type=content_type)
                if not answer.ok:
                    logger.debug("an Event was not taken: status %d", answer.status)
            except FailureError as error:
                logger.debug("an Event was not sent: %s", error)
            finally:
                self._queue.task_done()

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
        self._put("patch", path, body, "application/merge-patch+json")

    def _put(self, verb: str, path: str, body: dict[str, Any], content_type: str) -> None:
        try:
            self._queue.put_nowait((verb, path, body, content_type))
        except asyncio.QueueFull:
            logger.debug("an Event was dropped: %d wait already", _QUEUE)

    def _event(
        self, name: str, kind: _Kind, now: datetime, *, warning: bool, secret: ObservedSecret | None
    ) -> dict[str, Any]:
        regarding = {
            "apiVersion": "v1",
            "kind": "Secret",
            "name": self._secret_name,
            "namespace": kind.namespace,
        }
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": kind.namespace},
            "eventTime": _micro(now),
            "reportingController": f"{MANAGER}.dev/controller",
            "reportingInstance": self._instance,
            "action": "Keep",
            "reason": kind.reason,
            "note": kind.note,
            "type": "Warning" if warning else "Normal",
            "regarding": _with_uid(regarding, secret),
        }


def _with_uid(regarding: Mapping[str, str], secret: ObservedSecret | None) -> dict[str, str]:
    return {**regarding, "uid": secret.uid} if secret else {**regarding}


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
