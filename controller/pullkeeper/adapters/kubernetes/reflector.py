"""Objects of one kind, by their metadata alone where that will do: listed in chunks, then watched, on and on."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, GONE, METADATA, METADATA_LIST, NOT_FOUND, Response

logger = logging.getLogger(__name__)

_WHOLE = "application/json"
_PAGE = 500
_SILENCE = 90.0
"""Seconds without a line after which a watch is given up: the API server sends a bookmark about every minute."""
_SHORT = 1.0
"""A watch that ends within so many seconds is not opened again at once."""
_LASTING = 60.0
"""A watch that breaks after so many seconds has worked: it is opened again without growing patience."""
_MOST_ATTEMPTS = 5
"""Backoff stops growing here: what is missed while the watch is down is repaired late."""

_T = TypeVar("_T")


class Connection(Protocol):
    """Whoever carries requests and streams to and from the API server; raises FailureError."""

    async def request(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, accept: str = ...
    ) -> Response:
        """Make one request."""
        ...

    def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """Open a watch and give its events."""
        ...


class EventHandler(Protocol[_T]):
    """Whoever takes note of what is there."""

    def replace(self, found: list[_T], version: int) -> None:
        """This is all there is, at this version of the whole."""

    def upsert(self, item: _T) -> None:
        """One is there, or has changed."""

    def delete(self, item: _T) -> None:
        """One is gone; this is how it was last."""

    def on_bookmark(self, version: int) -> None:
        """Everything up to this version has been told."""

    def on_forbidden(self) -> None:
        """Nothing can be known for now: there is no right to look, or no such place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWatch:
    """What is watched: a collection, or one object by its name."""

    what: str
    """Its name in messages."""
    path: str
    watch_path: str
    query: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    whole: bool = False
    """What is needed is more than metadata, and is read from the whole object."""
    verbs: str = "get, list and watch"
    """What to grant."""


def secrets_list_watch(name: str, namespace: str = "") -> ListWatch:
    """Watch the Secrets of one name, everywhere or in one namespace: the selector is what RBAC can bound."""
    path = f"/api/v1/namespaces/{namespace}/secrets" if namespace else "/api/v1/secrets"
    where = f" in {namespace}" if namespace else ""
    selector = {"fieldSelector": f"metadata.name={name}"}
    return ListWatch(what=f"Secrets of our name{where}", path=path, watch_path=path, query=selector)


def namespace_list_watch(name: str) -> ListWatch:
    """Watch one Namespace with no rights but in it: only these two paths count as within it."""
    path = f"/api/v1/namespaces/{name}"
    return ListWatch(
        what=f"Namespace {name}",
        path=path,
        watch_path=f"/api/v1/watch/namespaces/{name}",
        single=True,
        verbs="get and watch",
    )


def service_accounts_list_watch(namespace: str = "") -> ListWatch:
    """ServiceAccounts, everywhere or in one namespace: whole, because their `imagePullSecrets` are no metadata."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts" if namespace else "/api/v1/serviceaccounts"
    where = f" in {namespace}" if namespace else ""
    return ListWatch(
        what=f"ServiceAccounts{where}", path=path, watch_path=path, whole=True, verbs="list, watch and patch"
    )


class Reflector(Generic[_T]):
    """Keeps a sink informed of one source; lists anew every so often, so nothing stays missed for longer."""

    def __init__(
        self,
        connection: Connection,
        source: ListWatch,
        *,
        read: Callable[[Mapping[str, Any]], _T],
        sink: EventHandler[_T],
        relist_after: timedelta,
        chance: random.Random,
    ) -> None:
        self._connection = connection
        self._source = source
        self._read = read
        self._sink = sink
        self._relist_after = relist_after
        self._chance = chance

    async def run(self) -> None:
        """List and watch, until cancelled."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._watch(await self._list())
                failures = 0
            except FailureError as error:
                lasted = asyncio.get_running_loop().time() - began
                failures = 1 if lasted > _LASTING else min(failures + 1, _MOST_ATTEMPTS)
                delay = retry_delay(failures, self._chance.random())
                logger.warning("watching %s: %s; next try in %.1f s", self._source.what, error, delay.total_seconds())
                await asyncio.sleep(delay.total_seconds())

    async def _list(self) -> int:
        found, version = await (self._one() if self._source.single else self._all())
        self._sink.replace(found, version)
        return version

    async def _one(self) -> tuple[list[_T], int]:
        answer = await self._connection.request("get", self._source.path, accept=METADATA)
        metadata = self._checked(answer)["metadata"]
        return [self._read(metadata)], int(metadata["resourceVersion"])

    async def _all(self) -> tuple[list[_T], int]:
        query = {**self._source.query, "limit": str(_PAGE)}
        found: list[_T] = []
        while True:
            accept = _WHOLE if self._source.whole else METADATA_LIST
            answer = await self._connection.request("list", self._source.path, query=query, accept=accept)
            if answer.status == GONE and "continue" in query:
                del query["continue"]
                found.clear()
                continue
            body = self._checked(answer)
            found.extend(map(self._translate, body["items"] or ()))
            page = body["metadata"]
            if not page.get("continue"):
                return found, int(page["resourceVersion"])
            query["continue"] = page["continue"]

    async def _watch(self, version: int) -> None:
        try:
            async with asyncio.timeout(self._relist_after.total_seconds()):
                while version:
                    opened = asyncio.get_running_loop().time()
                    version = await self._follow(version)
                    if asyncio.get_running_loop().time() - opened < _SHORT:
                        await asyncio.sleep(self._chance.random())
        except TimeoutError:
            return

    async def _follow(self, version: int) -> int:
        """Follow one watch to its end; tells the version to go on from, 0 where only a new listing helps."""
        query = {
            **self._source.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(self._chance.randrange(300, 600)),
        }
        path, accept = self._source.watch_path, _WHOLE if self._source.whole else METADATA
        async with self._connection.stream(path, query=query, accept=accept, silence=_SILENCE) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    return self._broken(event["object"].get("code", 0))
                version = int(event["object"]["metadata"]["resourceVersion"])
                self._take(event["type"], event["object"])
                self._sink.on_bookmark(version)
        return version

    def _broken(self, status: int) -> int:
        if status == GONE:
            return 0
        raise FailureError(self._refusal(status))

    def _take(self, kind: str, shown: Mapping[str, Any]) -> None:
        if kind == "DELETED":
            self._sink.delete(self._translate(shown))
        elif kind != "BOOKMARK":
            self._sink.upsert(self._translate(shown))

    def _translate(self, shown: Mapping[str, Any]) -> _T:
        """Translate at once what was shown, so that nobody keeps the whole of it."""
        return self._read(shown if self._source.whole else shown["metadata"])

    def _checked(self, answer: Response) -> Mapping[str, Any]:
        if answer.ok:
            return answer.body
        if answer.status in {FORBIDDEN, NOT_FOUND}:
            self._sink.on_forbidden()
        raise FailureError(self._refusal(answer.status))

    def _refusal(self, status: int) -> Failure:
        what = self._source.what
        if status == FORBIDDEN:
            message = f"the API server refuses to show {what} (403): grant {self._source.verbs}"
            return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
        message = f"the API server could not show {what} (status {status})"
        return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)
