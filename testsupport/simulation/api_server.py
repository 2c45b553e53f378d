"""The simulated API server, as a Kubernetes client: requests and watches."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy

from pullkeeper.domain.errors.failures import NotLeadingError
from pullkeeper.domain.kube.api import Response
from testsupport.simulation.faults import Faults, during
from testsupport.simulation.permissions import Permissions
from testsupport.simulation.record import Period, Record, Request
from testsupport.simulation.resources import Resources
from testsupport.simulation.sent import Sent, named
from testsupport.simulation.store import RefusedError, Store
from testsupport.simulation.watches import Event, Streams, unavailable
from testsupport.virtual_time import elapsed

_Query = Mapping[str, str]
_READING = {"get", "list"}
_UNAUTHORIZED = 401


class ApiServer:
    """Carries requests to the store and answers back, with a latency each way.

    A request that was sent arrives even if its sender is killed before that; its answer may get lost.
    """

    def __init__(
        self, store: Store, faults: Faults, rng: random.Random, *, permissions: Permissions | None = None
    ) -> None:
        """Without `permissions` everything is allowed that the server knows."""
        self._record: Record = store.record
        self._resources = Resources(store, faults, store.record)
        self._faults = faults
        self._rng = rng
        self._permissions = permissions
        self.streams = Streams(store, faults, rng)
        self.may_write: Callable[[], bool] = lambda: True
        self.on_write: Callable[[], None] = lambda: None
        self._cut: tuple[Period, ...] = ()

    def leader_gated(self, is_leader: Callable[[], bool]) -> "ApiServer":
        """Return a client whose writes raise NotLeadingError unless `is_leader()` holds."""
        gated = copy(self)
        gated.may_write = is_leader
        return gated

    def replica(self, cut: tuple[Period, ...]) -> "ApiServer":
        """Return the client of one replica, whose requests and answers wait while it is cut off."""
        own = copy(self)
        own._cut = cut  # noqa: SLF001 -- a copy of its own
        return own

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: _Query | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",  # noqa: ARG002 -- the protocol's
    ) -> Response:
        """Make one request. Raises FailureError if there is no answer."""
        if verb not in _READING:
            if not self.may_write():
                raise NotLeadingError(path)
            self.on_write()
        loop = asyncio.get_running_loop()
        response: asyncio.Future[Response] = loop.create_future()
        sent = Sent(verb=verb, path=path, query=query or {}, body=body, content_type=content_type)
        loop.call_later(self._way(verb), self._arrive, response, sent)
        await response
        await asyncio.sleep(self._way(verb))
        if verb in {"patch", "delete"} and self._rng.random() < self._faults.at(elapsed()).answer_lost:
            self._record.happened["answer lost"] += 1
            raise unavailable()
        return response.result()

    def stream(
        self,
        path: str,
        *,
        query: _Query,
        accept: str,  # noqa: ARG002 -- the protocol's
        idle_timeout: float,  # noqa: ARG002 -- the protocol's
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Open a watch of Secrets or ServiceAccounts."""
        kind = path.rpartition("/")[2]
        if self._permissions is not None:
            self._permissions.check("watch", path, query)
        return self.streams.open(kind, int(query["resourceVersion"]), float(query["timeoutSeconds"]), named(query))

    def _way(self, verb: str) -> float:
        """Return how long a request or an answer is on its way: what is cut off arrives late, not never."""
        latency, now = self._rng.uniform(0, self._faults.latency), elapsed()
        if verb == "list" and (slow := during(self._faults.slow_lists, now)):
            self._record.happened["slow list"] += 1
            latency += self._rng.uniform(0, float(slow.reason))
        cut = during(self._cut, now)
        if cut is not None:
            self._record.happened["replica cut off"] += 1
        return latency + (cut.end - now if cut else 0)

    def _arrive(self, response: asyncio.Future[Response], sent: Sent) -> None:
        result = None if self._faults.kube_back_at(elapsed()) is not None else self._respond(sent)
        kept = None if sent.path.endswith(("/secrets", "/namespaces", "/serviceaccounts")) else sent.body
        status = result.status if result else 0
        self._record.happened["API server away"] += result is None
        self._record.requests.append(Request(at=elapsed(), verb=sent.verb, path=sent.path, status=status, body=kept))
        if response.done():
            return
        if result is None:
            response.set_exception(unavailable())
        else:
            response.set_result(result)

    def _respond(self, sent: Sent) -> Response:
        if during(self._faults.unauthorized, elapsed()):
            self._record.happened["unauthorized"] += 1
            return Response(status=_UNAUTHORIZED, body={})
        try:
            if sent.verb == "list" and sent.path.endswith("/serviceaccounts"):
                self._check_may_list()
            if self._permissions is not None:
                self._permissions.check(sent.verb, sent.path, sent.query)
                if self._resources.is_created_by(sent):
                    self._permissions.check("create", sent.path, sent.query)
            return Response(status=200, body=self._resources.do(sent))
        except RefusedError as refused:
            body = {"message": refused.message, "details": {"causes": list(refused.causes)}}
            return Response(status=refused.status, body=body)

    def _check_may_list(self) -> None:
        """Raise RefusedError while nobody may list ServiceAccounts."""
        if during(self._faults.unwatchable, elapsed()):
            self._record.happened["watch denied"] += 1
            raise RefusedError(403, message='serviceaccounts is forbidden: User "x" cannot list resource')
