"""The Secrets of our one name, everywhere, by their metadata alone: listed in chunks, then watched."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Protocol

from controller.core.api import FORBIDDEN, GONE, METADATA, METADATA_LIST, Answer
from controller.core.observed_secret import ObservedSecret, observe
from controller.core.reasons import Failure, FailureError, Reason
from controller.core.schedule import retry_delay

logger = logging.getLogger(__name__)

_PATH = "/api/v1/secrets"
_PAGE = 500
_SILENCE = 90.0
"""Seconds without a line after which a watch is given up: the API server sends a bookmark about every minute."""
_SHORT = 1.0
"""A watch that ends within so many seconds is not opened again at once."""
_LASTING = 60.0
"""A watch that breaks after so many seconds has worked: it is opened again without growing patience."""
_MOST_ATTEMPTS = 5
"""Backoff stops growing here: what is missed while the watch is down is repaired late."""


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


class SecretWatch:
    """Knows the Secrets of our name, and wakes whoever is to look at a namespace when one changes."""

    def __init__(
        self,
        connection: Connection,
        *,
        secret_name: str,
        wake: Callable[[str], None],
        relist_after: timedelta,
        chance: random.Random,
    ) -> None:
        self._connection = connection
        self._selector = f"metadata.name={secret_name}"
        self._wake = wake
        self._relist_after = relist_after
        self._chance = chance
        self._known: dict[str, ObservedSecret] = {}
        self._told = 0
        """Up to this version the API server has told everything, our own writes included."""
        self.synced = asyncio.Event()

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give the Secret of this namespace as it was last seen."""
        return self._known.get(namespace)

    def all(self) -> Mapping[str, ObservedSecret]:
        """Give the Secrets of all namespaces as they were last seen."""
        return dict(self._known)

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:
        """Take note of our own write: the watch will bring the same, and nobody is woken for it.

        A write that the watch has overtaken is no news: what came after it may be somebody else's.
        """
        if secret is None:
            self._known.pop(namespace, None)
        elif secret.resource_version > self._told:
            self._known[namespace] = secret

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
                logger.warning("watching Secrets: %s; next try in %.1f s", error, delay.total_seconds())
                await asyncio.sleep(delay.total_seconds())

    async def _list(self) -> int:
        query = {"fieldSelector": self._selector, "limit": str(_PAGE)}
        listed: dict[str, ObservedSecret] = {}
        while True:
            answer = await self._connection.request("list", _PATH, query=query, accept=METADATA_LIST)
            if answer.status == GONE and "continue" in query:
                del query["continue"]
                listed.clear()
                continue
            if not answer.ok:
                raise FailureError(_refused(answer.status))
            listed.update(_namespaced(item["metadata"]) for item in answer.body["items"] or ())
            page = answer.body["metadata"]
            if not page.get("continue"):
                self._replace(listed, int(page["resourceVersion"]))
                return int(page["resourceVersion"])
            query["continue"] = page["continue"]

    def _replace(self, listed: Mapping[str, ObservedSecret], version: int) -> None:
        for namespace, known in list(self._known.items()):
            # Our own write may be younger than the listing.
            if namespace not in listed and known.resource_version <= version:
                self._lose(namespace)
        for namespace, secret in listed.items():
            self._see(namespace, secret)
        self._told = max(self._told, version)
        self.synced.set()

    def _see(self, namespace: str, secret: ObservedSecret) -> None:
        known = self._known.get(namespace)
        if known is None or known.resource_version < secret.resource_version:
            self._known[namespace] = secret
            self._wake(namespace)

    def _lose(self, namespace: str) -> None:
        if self._known.pop(namespace, None) is not None:
            self._wake(namespace)

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
            "fieldSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(self._chance.randrange(300, 600)),
        }
        async with self._connection.lines(_PATH, query=query, accept=METADATA, silence=_SILENCE) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    return self._broken(event["object"].get("code", 0))
                self._take(event["type"], event["object"]["metadata"])
                self._told = version = int(event["object"]["metadata"]["resourceVersion"])
        return version

    def _broken(self, status: int) -> int:
        if status == GONE:
            return 0
        raise FailureError(_refused(status))

    def _take(self, kind: str, metadata: Mapping[str, Any]) -> None:
        if kind == "BOOKMARK":
            return
        namespace, secret = _namespaced(metadata)
        if kind != "DELETED":
            self._see(namespace, secret)
        elif (known := self._known.get(namespace)) and known.resource_version < secret.resource_version:
            self._lose(namespace)


def _namespaced(metadata: Mapping[str, Any]) -> tuple[str, ObservedSecret]:
    return metadata["namespace"], observe(metadata)


def _refused(status: int) -> Failure:
    if status == FORBIDDEN:
        message = "the API server refuses to list or watch the Secrets of our name (403): grant get, list and watch"
        return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
    message = f"the API server could not list or watch Secrets (status {status})"
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)
