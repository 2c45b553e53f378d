"""A reflector of Secrets on a fake client whose watches play the streams of a test."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from pullkeeper.adapters.kubernetes.reflector import Reflector, secrets_list_watch
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.reconcile.cached_kinds import recalling, secret_cache
from pullkeeper.reconcile.caches import CacheReports
from testsupport.background import in_background
from testsupport.fake_client import FakeClient, items, ok
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import settle

Event = Mapping[str, Any]
GONE = ok(status=410)
REFUSED = ok(status=403)
INTERVAL = timedelta(minutes=10)


class Chance(FixedRandom):
    """Draws the same integers too."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return random.Random(1).randrange(start, stop, step)


def secret(namespace: str, version: int) -> dict[str, Any]:
    return {"name": "ecr-pull-secret", "namespace": namespace, "uid": namespace, "resourceVersion": str(version)}


def listing(*metadata: Mapping[str, Any], version: int = 9, more: str = "") -> Response:
    return items(*({"metadata": each} for each in metadata), version=version, more=more)


def event(kind: str, metadata: Mapping[str, Any]) -> Event:
    return {"type": kind, "object": {"metadata": metadata}}


def error(code: int) -> Event:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code}}


class ReflectorHarness:
    """Each watch plays the next of `streams`; once none is left, it stays open and yields what `send` is given."""

    def __init__(self) -> None:
        self.client = FakeClient(listing())
        self.client.opened = self._stream
        self.streams: list[Sequence[Event | Exception]] = []
        self.woken: list[str] = []
        self.translated: list[str] = []
        """The versions that were parsed."""
        self._sent: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.differences: list[int] = []
        reports = CacheReports(record_differences=lambda _, count: self.differences.append(count))
        self.secrets = secret_cache(self.woken.append, reports)
        self.watch = Reflector[ObservedSecret](
            self.client,
            secrets_list_watch("ecr-pull-secret"),
            translate=self._translate,
            handler=self.secrets.handler(),
            relist_interval=INTERVAL,
            rng=Chance(),
            recall=recalling(self.secrets),
        )

    def _translate(self, metadata: Mapping[str, Any]) -> ObservedSecret:
        self.translated.append(metadata["resourceVersion"])
        return observe(metadata)

    def has_synced(self) -> bool:
        return all(event.is_set() for event in self.secrets.synced())

    def version(self, namespace: str) -> int | None:
        found = self.secrets.get(namespace)
        return found.resource_version if found else None

    def observed(self, namespace: str, version: int) -> ObservedSecret:
        return observe(secret(namespace, version))

    async def send(self, *events: Event | Exception) -> None:
        for each in events:
            self._sent.put_nowait(each)
        await settle()

    @asynccontextmanager
    async def running(self, *, seconds: float = 0) -> AsyncIterator[None]:
        async with in_background(self.watch.run(), seconds=seconds):
            yield

    async def _stream(self) -> AsyncIterator[Event]:
        if self.streams:
            for each in self.streams.pop(0):
                yield _played(each)
        else:
            while True:
                yield _played(await self._sent.get())


def _played(each: Event | Exception) -> Event:
    if isinstance(each, Exception):
        raise each
    return each
