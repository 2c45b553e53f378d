"""The ServiceAccounts as they were last seen: listed in chunks, then watched, whole: their list is no metadata."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Protocol

from controller.core.api import FORBIDDEN, GONE, Answer
from controller.core.attachment import ObservedAccount, observe
from controller.core.reasons import Failure, FailureError, Reason
from controller.core.schedule import retry_delay

logger = logging.getLogger(__name__)

_JSON = "application/json"
_PAGE = "500"
_SILENCE = 90.0
"""Seconds without a line after which a watch is given up: the API server sends a bookmark about every minute."""
_SHORT = 1.0
"""A watch that ends within so many seconds is not opened again at once."""
_LASTING = 60.0
"""A watch that breaks after so many seconds has worked: it is opened again without growing patience."""
_MOST_ATTEMPTS = 5
"""Backoff stops growing here: who appears while the watch is down is attached late."""


class Connection(Protocol):
    """Whoever carries requests and streams to and from the API server; raises FailureError."""

    async def request(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, accept: str = ...
    ) -> Answer:
        """Make one request."""
        ...

    def lines(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AbstractAsyncContextManager[AsyncIterator[Mapping[str, Any]]]:
        """Open a watch and give its events."""
        ...


class ServiceAccountCache:
    """Knows the ServiceAccounts, and wakes whoever is to look at a namespace when one of its changes.

    Any newer version wakes, also one whose change is none of ours: a patch may just have failed because of it.
    """

    def __init__(
        self, *, secret_name: str, wake: Callable[[str], None], listed: Callable[[], None] = lambda: None
    ) -> None:
        self._secret_name = secret_name
        self._wake = wake
        self._listed = listed
        self._known: dict[str, dict[str, ObservedAccount]] = {}
        self._scopes: set[str | None] = set()

    def knows(self, namespace: str) -> bool:
        """Whether the namespace has been listed, so that what is not here does not exist."""
        return not self._scopes.isdisjoint((None, namespace))

    def of(self, namespace: str) -> tuple[ObservedAccount, ...]:
        """Give the ServiceAccounts of a namespace as they were last seen."""
        return tuple(self._known.get(namespace, {}).values())

    def written(self, account: ObservedAccount) -> None:
        """Take note of our own write: the watch will bring the same, and nobody is woken for it."""
        known = self._known.get(account.namespace, {}).get(account.name)
        if known is not None and known.resource_version < account.resource_version:
            self._known[account.namespace][account.name] = account

    def read(self, account: Mapping[str, Any]) -> ObservedAccount:
        """Translate a ServiceAccount as it comes, so that nobody keeps the whole of it."""
        return observe(account, self._secret_name)

    def replace(self, accounts: Iterable[ObservedAccount], version: int, namespace: str | None = None) -> None:
        """Take over a whole listing, of one namespace or of all: what is not in it and not younger than it is gone."""
        listed = {(account.namespace, account.name): account for account in accounts}
        for known in [known for each in self._known.values() for known in each.values()]:
            meant = namespace in (None, known.namespace)
            if meant and (known.namespace, known.name) not in listed and known.resource_version <= version:
                self._lose(known)
        for account in listed.values():
            self._see(account)
        if namespace not in self._scopes:
            self._scopes.add(namespace)
            self._listed()

    def take(self, kind: str, account: Mapping[str, Any]) -> None:
        """Take over what a watch brings."""
        if kind == "BOOKMARK":
            return
        seen = self.read(account)
        if kind != "DELETED":
            self._see(seen)
        elif (known := self._known.get(seen.namespace, {}).get(seen.name)) and _older(known, seen):
            self._lose(known)

    def _see(self, account: ObservedAccount) -> None:
        accounts = self._known.setdefault(account.namespace, {})
        known = accounts.get(account.name)
        if known is None or _older(known, account):
            accounts[account.name] = account
            self._wake(account.namespace)

    def _lose(self, account: ObservedAccount) -> None:
        accounts = self._known[account.namespace]
        del accounts[account.name]
        if not accounts:
            del self._known[account.namespace]
        self._wake(account.namespace)


def _older(known: ObservedAccount, seen: ObservedAccount) -> bool:
    return known.resource_version < seen.resource_version


class ServiceAccountWatch:
    """Lists and watches the ServiceAccounts of one namespace, or of all, into a cache."""

    def __init__(
        self,
        connection: Connection,
        cache: ServiceAccountCache,
        *,
        relist_after: timedelta,
        chance: random.Random,
        namespace: str | None = None,
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._relist_after = relist_after
        self._chance = chance
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/serviceaccounts" if namespace else "/api/v1/serviceaccounts"
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """List and watch until cancelled; lists anew after `relist_after`, so nothing stays missed for longer."""
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
                logger.warning("watching ServiceAccounts: %s; next try in %.1f s", error, delay.total_seconds())
                await asyncio.sleep(delay.total_seconds())

    async def _list(self) -> int:
        query = {"limit": _PAGE}
        listed: list[ObservedAccount] = []
        while True:
            answer = await self._connection.request("list", self._path, query=query, accept=_JSON)
            if answer.status == GONE and "continue" in query:
                del query["continue"]
                listed.clear()
                continue
            if not answer.ok:
                raise FailureError(_refused(answer.status))
            listed.extend(self._cache.read(item) for item in answer.body["items"] or ())
            page = answer.body["metadata"]
            if not page.get("continue"):
                self._cache.replace(listed, int(page["resourceVersion"]), self._namespace)
                self.synced.set()
                return int(page["resourceVersion"])
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
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(self._chance.randrange(300, 600)),
        }
        async with self._connection.lines(self._path, query=query, accept=_JSON, silence=_SILENCE) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    return _broken(event["object"].get("code", 0))
                self._cache.take(event["type"], event["object"])
                version = int(event["object"]["metadata"]["resourceVersion"])
        return version


def _broken(status: int) -> int:
    if status == GONE:
        return 0
    raise FailureError(_refused(status))


def _refused(status: int) -> Failure:
    if status == FORBIDDEN:
        message = "the API server refuses to list or watch ServiceAccounts (403): grant list, watch and patch"
        return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
    message = f"the API server could not list or watch ServiceAccounts (status {status})"
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)
