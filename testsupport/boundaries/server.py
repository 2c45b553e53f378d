"""The simulated API server as a Kubernetes client whose calls fail one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from functools import partial
from typing import Any

from pullkeeper.domain.errors.failures import NotLeadingError
from pullkeeper.domain.kube.api import Response
from testsupport.boundaries.cluster import Cluster
from testsupport.boundaries.journal import AFTER, BEFORE, DONE_LATE, NEVER_SENT, UNANSWERED, Fault, Journal
from testsupport.boundaries.watches import LATENCY, LONG, Streams
from testsupport.simulation.record import Request
from testsupport.simulation.sent import Sent, named
from testsupport.simulation.store import RefusedError
from testsupport.simulation.watches import Event, unavailable
from testsupport.virtual_time import elapsed

DEADLINE = 65.0
"""Seconds after which a client gives up on an answer."""
_LATE = {Fault.CRASH_LATE: 3.0, Fault.LOST_LATE: DEADLINE + 5.0}
"""Seconds after which a late request arrives: the one when a new process has listed, the other after the retry."""
READING = frozenset({"get", "list"})
_STALE = frozenset({Fault.STALE_BY_ONE, Fault.STALE_BY_ALL})

Interrupt = Callable[[Fault], None]
"""Kills or stops the process that calls it."""


class Server:
    """Carries the requests of one process to the cluster and answers back."""

    def __init__(
        self,
        cluster: Cluster,
        journal: Journal,
        streams: Streams,
        interrupt: Interrupt,
        *,
        on_arrival: Callable[[], None],
    ) -> None:
        """`interrupt` befalls the process that this client belongs to; `on_arrival` is called at each request."""
        self._cluster = cluster
        self._journal = journal
        self._streams = streams
        self._interrupt = interrupt
        self._on_arrival = on_arrival
        self._may_write: Callable[[], bool] = lambda: True

    def leader_gated(self, is_leader: Callable[[], bool]) -> "Server":
        """Return a client whose writes raise NotLeadingError unless `is_leader()` holds."""
        gated = copy(self)
        gated._may_write = is_leader  # noqa: SLF001 -- its own class
        return gated

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",  # noqa: ARG002 -- the protocol's
    ) -> Response:
        """Make one request. Raises FailureError if there is no answer."""
        if verb not in READING and not self._may_write():
            raise NotLeadingError(path)
        fault = self._journal.cross(verb, path)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if fault in BEFORE:
            self._interrupt(fault)
        if fault not in NEVER_SENT:
            delay = _LATE[fault] if fault in DONE_LATE else LATENCY
            sent = Sent(verb=verb, path=path, query=query or {}, body=body, content_type=content_type)
            asyncio.get_running_loop().call_later(delay, self._arrive, sent, fault, answer)
        if fault in UNANSWERED:
            await asyncio.sleep(DEADLINE)
            raise unavailable()
        await answer
        await asyncio.sleep(LATENCY)
        return answer.result()

    @asynccontextmanager
    async def _stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[Event]]:
        fault = self._journal.cross("watch", path)
        if fault in BEFORE:
            self._interrupt(fault)
        if fault in UNANSWERED:
            await asyncio.sleep(DEADLINE)
            raise unavailable()
        await asyncio.sleep(LATENCY)
        resource, version = path.rpartition("/")[2], int(query["resourceVersion"])
        lag = LONG if fault is Fault.LAGGING else 0.0
        seconds, name = float(query["timeoutSeconds"]), named(query)
        async with self._streams.open(resource, version, seconds, name=name, lag=lag) as events:
            yield events

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        accept: str,  # noqa: ARG002 -- the protocol's
        idle_timeout: float,  # noqa: ARG002 -- the protocol's
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Open a watch of Secrets or ServiceAccounts."""
        return self._stream(path, query)

    def _arrive(self, sent: Sent, fault: Fault | None, answer: asyncio.Future[Response]) -> None:
        response = self._stale(sent, fault) if fault in _STALE else _response(partial(self._cluster.do, sent))
        body = None if sent.verb in READING else sent.body
        request = Request(at=elapsed(), verb=sent.verb, path=sent.path, status=response.status, body=body)
        self._cluster.record.requests.append(request)
        self._on_arrival()
        if fault in AFTER:
            self._interrupt(fault)
        if not answer.done() and fault is not Fault.CRASH_AFTER:
            answer.set_result(response)

    def _stale(self, sent: Sent, fault: Fault | None) -> Response:
        """Answer as before the last change of the answer, or as at the very beginning."""
        cluster = self._cluster
        first = _response(partial(cluster.read_as_of, cluster.past[0], sent))
        if fault is Fault.STALE_BY_ALL:
            return first
        answers = [_response(partial(cluster.read_as_of, state, sent)) for state in reversed(cluster.past)]
        return next((answer for answer in answers if _told(answer) != _told(answers[0])), first)


def _response(do: Callable[[], Mapping[str, Any]]) -> Response:
    try:
        return Response(status=200, body=do())
    except RefusedError as refused:
        details = {"details": {"causes": list(refused.causes)}, "message": refused.message}
        return Response(status=refused.status, body=details)


def _told(answer: Response) -> object:
    """Return what an answer says of objects: a listing has a version of its own beside them."""
    return answer.status, answer.body.get("items", answer.body)
