"""A watcher of every version of the objects of one name that goes on through whatever is done to the API server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

import aiohttp

from testsupport.rest import RestClient, of_name
from testsupport.waiting import until

_PAUSE = 0.1
"""Seconds until a watch that broke is opened again."""


class Judge(Protocol):
    """Who is shown what happens."""

    def take(self, kind: str, found: Mapping[str, Any], /) -> None:
        """Judge the next version of an object: ADDED, MODIFIED or DELETED."""

    def history_went_back(self) -> None:
        """Compare what comes next with nothing that was seen before."""


class _ExpiredError(Exception):
    """The version that the watch is to go on from is not known any more."""


class Watcher:
    """Shows a judge every event; after a gap, the difference between what it knew and what is there."""

    def __init__(self, api: RestClient, name: str, judge: Judge, resource: str) -> None:
        self._api = api
        self._path = f"/api/v1/{resource}"
        self._what = f"a list of {resource} named {name}"
        self._query = of_name(name)
        self._judge = judge
        self._known: dict[str, Mapping[str, Any]] = {}
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self.seen: set[tuple[str, int]] = set()
        """Namespace and resourceVersion of every version that was seen."""

    @classmethod
    @asynccontextmanager
    async def open(cls, api: RestClient, name: str, judge: Judge, resource: str = "secrets") -> AsyncIterator[Self]:
        """Watch until the block ends; what breaks the watcher itself fails the block."""
        watcher = cls(api, name, judge, resource)
        await watcher.start()
        try:
            yield watcher
        finally:
            await watcher.stop()

    async def start(self) -> None:
        """Take over what is there, and follow it from then on."""
        await until(self._listed, self._what)
        self._task = asyncio.create_task(self._follow())

    def check(self) -> None:
        """Raise what ended the watch by itself."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Watch no more; raises what ended the watch by itself."""
        task, self._task = self._task, None
        if task is not None and not task.cancel():
            task.result()

    async def history_went_back(self) -> None:
        """Start anew with what a restored etcd has."""
        await self.stop()
        self._judge.history_went_back()
        self._known.clear()
        await self.start()

    async def _listed(self) -> bool:
        answer = await self._api.get(self._path, **self._query)
        if answer.status != 200:
            return False
        found = {each["metadata"]["namespace"]: each for each in answer.body["items"]}
        for namespace in self._known.keys() - found.keys():
            self._show("DELETED", self._known[namespace])
        for namespace, each in found.items():
            if namespace not in self._known:
                self._show("ADDED", each)
            elif _version(each) != _version(self._known[namespace]):
                self._show("MODIFIED", each)
        self._version = answer.body["metadata"]["resourceVersion"]
        return True

    async def _follow(self) -> None:
        while True:
            try:
                await self._watch()
            except _ExpiredError:
                await until(self._listed, self._what)
            except (aiohttp.ClientError, AssertionError, TimeoutError):
                # Broken off, refused by a server that is just starting, or open for as long as the client lets it.
                pass
            await asyncio.sleep(_PAUSE)

    async def _watch(self) -> None:
        async with self._api.watch(self._path, resourceVersion=self._version, **self._query) as watch:
            while (event := await watch.event()) is not None:
                if event["type"] == "ERROR":
                    raise _ExpiredError
                self._version = event["object"]["metadata"]["resourceVersion"]
                self._show(event["type"], event["object"])

    def _show(self, kind: str, found: Mapping[str, Any]) -> None:
        namespace = found["metadata"]["namespace"]
        if kind == "DELETED":
            self._known.pop(namespace, None)
        else:
            self._known[namespace] = found
            self.seen.add((namespace, _version(found)))
        self._judge.take(kind, found)


def _version(found: Mapping[str, Any]) -> int:
    return int(found["metadata"]["resourceVersion"])
