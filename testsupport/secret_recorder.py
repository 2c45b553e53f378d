"""Every version of every pull Secret, and when a watcher saw it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from testsupport.rest import RestClient, of_name
from testsupport.waiting import HANG_GUARD

_PATH = "/api/v1/secrets"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a Secret."""

    kind: str
    namespace: str
    secret: dict[str, Any]
    seen_at: datetime

    @property
    def uid(self) -> str:
        return str(self.secret["metadata"]["uid"])

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.secret["metadata"].get("annotations") or {})

    @property
    def expires_at(self) -> datetime:
        return datetime.fromisoformat(self.annotations["pullkeeper.dev/expires-at"])


class SecretRecorder:
    """Records every version until it is closed."""

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self._changed = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def open(cls, api: RestClient, name: str) -> AsyncIterator[Self]:
        """Record all Secrets of this name from now on."""
        recorder = cls()
        query = of_name(name)
        start = (await api.get(_PATH, **query)).ok()["metadata"]["resourceVersion"]
        task = asyncio.create_task(recorder._follow(api, query, start))
        try:
            yield recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def of(self, namespace: str) -> list[Version]:
        """Return the versions in one namespace, in order."""
        return [version for version in self.versions if version.namespace == namespace]

    async def wait(self, namespace: str, matches: Callable[[Version], bool]) -> Version:
        """Wait for the first version in the namespace that matches, and return it."""

        def found() -> Version | None:
            return next((version for version in self.of(namespace) if matches(version)), None)

        try:
            async with asyncio.timeout(HANG_GUARD), self._changed:
                await self._changed.wait_for(found)
        except TimeoutError:
            seen = [(version.kind, version.annotations) for version in self.of(namespace)]
            raise AssertionError(
                f"waited {HANG_GUARD:g} s in vain for a version in {namespace}; seen: {seen}"
            ) from None
        version = found()
        assert version is not None
        return version

    async def created(self, namespace: str) -> Version:
        """Wait until a Secret is created in the namespace, and return its first version."""
        return await self.wait(namespace, lambda version: version.kind == "ADDED")

    async def _follow(self, api: RestClient, query: dict[str, str], version: str) -> None:
        while True:
            async with api.watch(_PATH, resourceVersion=version, **query) as watch:
                while (event := await watch.event()) is not None:  # no timeout: rest is no loss
                    version = event["object"]["metadata"]["resourceVersion"]
                    await self._take(event)

    async def _take(self, event: dict[str, Any]) -> None:
        secret = event["object"]
        async with self._changed:
            self.versions.append(
                Version(
                    kind=event["type"],
                    namespace=secret["metadata"]["namespace"],
                    secret=secret,
                    seen_at=datetime.now(UTC),
                )
            )
            self._changed.notify_all()
