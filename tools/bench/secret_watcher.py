"""A watcher of the pull Secrets: which was written how often, and when."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Self

from testsupport.rest import METADATA, RestClient, of_name

_PATH = "/api/v1/secrets"
_LONGEST, _EACH = 90.0, 0.05
"""Seconds until a write that must come counts as lost, and so many more for each namespace that is rotated."""


class SecretWatcher:
    """Counts the writes of the namespaces that are rotated, and times the Secrets of those that opt in."""

    def __init__(self, members: Collection[str]) -> None:
        self._members = frozenset(members)
        self._changed = asyncio.Condition()
        self._first_secrets: dict[str, asyncio.Future[float]] = {}
        self._good_until: dict[str, datetime] = {}
        self._others: set[str] = set()
        """Namespaces that are not rotated and have a Secret."""
        self.forget()

    def forget(self) -> None:
        """Count from nothing again."""
        self.writes: Counter[str] = Counter()
        self.first_at = 0.0
        self._reached: Counter[int] = Counter()

    @classmethod
    @asynccontextmanager
    async def open(cls, api: RestClient, name: str, members: Collection[str]) -> AsyncIterator[Self]:
        """Watch all Secrets of this name from now on, by their metadata."""
        watcher = cls(members)
        query = of_name(name)
        start = (await api.get(_PATH, **query)).ok()["metadata"]["resourceVersion"]
        async with asyncio.TaskGroup() as group:  # a watch that ends with an error ends the bench
            task = group.create_task(watcher._follow(api, query, start))
            try:
                yield watcher
            finally:
                task.cancel()

    async def begun(self) -> float:
        """Wait for the first write of a member, and tell when it was seen."""
        await self._wait(lambda: self.first_at > 0)
        return self.first_at

    async def all_written(self, times: int) -> float:
        """Wait until every member has been written so often, and tell when that was seen."""
        await self._wait(lambda: self._reached[times] >= len(self._members))
        return time.monotonic()

    async def all_deleted(self, namespaces: Collection[str]) -> None:
        """Wait until none of these, which are not rotated, has a Secret."""
        await self._wait(lambda: self._others.isdisjoint(namespaces))

    def has_written_all(self) -> bool:
        """Whether every member has been written."""
        return self._reached[1] >= len(self._members)

    async def all_good_until(self, moment: datetime) -> None:
        """Wait until every member holds a token that lives beyond this moment."""
        await self.all_written(1)
        await self._wait(lambda: min(self._good_until.values()) > moment)

    def first_secret(self, namespace: str) -> asyncio.Future[float]:
        """Give what will be the moment at which this namespace's Secret is seen."""
        self._first_secrets[namespace] = asyncio.get_running_loop().create_future()
        return self._first_secrets[namespace]

    async def _wait(self, holds: Callable[[], bool]) -> None:
        longest = _LONGEST + _EACH * len(self._members)
        try:
            async with asyncio.timeout(longest), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            seen = f"{len(self.writes)} of {len(self._members)} namespaces written, {self.writes.total()} writes seen"
            raise AssertionError(f"waited {longest:g} s in vain; {seen}") from None

    async def _follow(self, api: RestClient, query: dict[str, str], version: str) -> None:
        while True:
            async with api.watch(_PATH, accept=METADATA, resourceVersion=version, **query) as watch:
                while (event := await watch.event()) is not None:  # no timeout: rest is no loss
                    metadata = event["object"]["metadata"]
                    version = metadata["resourceVersion"]
                    if event["type"] == "DELETED":
                        await self._drop(metadata["namespace"])
                    else:
                        await self._take(metadata["namespace"], metadata["annotations"])

    async def _take(self, namespace: str, annotations: Mapping[str, str]) -> None:
        now = time.monotonic()
        if (waiting := self._first_secrets.pop(namespace, None)) is not None:
            waiting.set_result(now)
        if namespace in self._members:
            self._good_until[namespace] = datetime.fromisoformat(annotations["pullkeeper.dev/expires-at"])
            await self._count(namespace, now)
        else:
            self._others.add(namespace)

    async def _drop(self, namespace: str) -> None:
        self._others.discard(namespace)
        async with self._changed:
            self._changed.notify_all()

    async def _count(self, namespace: str, now: float) -> None:
        self.first_at = self.first_at or now
        self.writes[namespace] += 1
        self._reached[self.writes[namespace]] += 1
        async with self._changed:
            self._changed.notify_all()
