"""A watch of Secrets on a connection that plays what a test puts up."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from controller.core.api import Answer
from controller.core.observed_secret import ObservedSecret, observe
from controller.doors.watch import Watch, secrets_named
from controller.pull_secrets import Placed, PullSecrets
from tests.shell.draws import Draw
from tests.shell.messages import Switchboard, ok
from tests.shell.virtual_time import settle

Event = Mapping[str, Any]
GONE = ok(status=410)
REFUSED = ok(status=403)
INTERVAL = timedelta(minutes=10)


class Chance(Draw):
    """Draws the same, whole numbers as well."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return random.Random(1).randrange(start, stop, step)


def secret(namespace: str, version: int) -> dict[str, Any]:
    return {"name": "ecr-pull-secret", "namespace": namespace, "uid": namespace, "resourceVersion": str(version)}


def listing(*metadata: Mapping[str, Any], version: int = 9, items: Sequence[Event] | None = ()) -> Answer:
    found = None if items is None else [{"metadata": each} for each in metadata]
    return ok({"items": found, "metadata": {"resourceVersion": str(version)}})


def page(*metadata: Mapping[str, Any], goes_on: str) -> Answer:
    items = [{"metadata": each} for each in metadata]
    return ok({"items": items, "metadata": {"resourceVersion": "9", "continue": goes_on}})


def event(kind: str, metadata: Mapping[str, Any]) -> Event:
    return {"type": kind, "object": {"metadata": metadata}}


def error(code: int) -> Event:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code}}


class Desk:
    """Streams are played one after the other; where there is none left, a watch stays open and `say` speaks in it."""

    def __init__(self) -> None:
        self.line = Switchboard(listing())
        self.line.stream = self._stream
        self.streams: list[Sequence[Event | Exception]] = []
        self.woken: list[str] = []
        self._said: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.secrets = PullSecrets(wake=self.woken.append)
        self.watch = Watch[Placed](
            self.line,
            secrets_named("ecr-pull-secret"),
            read=lambda metadata: (metadata["namespace"], observe(metadata)),
            sink=self.secrets,
            relist_after=INTERVAL,
            chance=Chance(),
        )

    def version(self, namespace: str) -> int | None:
        found = self.secrets.get(namespace)
        return found.resource_version if found else None

    def observed(self, namespace: str, version: int) -> ObservedSecret:
        return observe(secret(namespace, version))

    async def say(self, *events: Event | Exception) -> None:
        for each in events:
            self._said.put_nowait(each)
        await settle()

    @asynccontextmanager
    async def running(self, *, seconds: float = 0) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            await asyncio.sleep(seconds)
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _stream(self) -> AsyncIterator[Event]:
        if self.streams:
            for each in self.streams.pop(0):
                yield _played(each)
        else:
            while True:
                yield _played(await self._said.get())


def _played(each: Event | Exception) -> Event:
    if isinstance(each, Exception):
        raise each
    return each
