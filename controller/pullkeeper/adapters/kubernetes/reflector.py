"""Reflectors: keep a handler informed of the objects of one kind by listing and then watching them."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from pullkeeper.adapters.kubernetes.api_errors import ApiError, api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.listing import list_all, of_name
from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.said_causes import WORKED_SECONDS, SaidCauses
from pullkeeper.domain.kube.api import FORBIDDEN, GONE, JSON, METADATA, METADATA_LIST, NOT_FOUND, Response
from pullkeeper.domain.namespace.service_account_names import ALL

logger = logging.getLogger(__name__)

_IDLE_TIMEOUT = 90.0
"""Seconds without data after which a watch counts as broken; the API server sends a bookmark about every minute."""
_MIN_WATCH = 1.0
"""Seconds; a watch that ends sooner is not reopened at once."""
_LONG_WATCH = 60.0
"""Seconds; a watch that breaks later has worked, so its retry delay starts over."""
_ANY_VERSION = 0
"""A watch from here tells first what is there, and then what changes.

A single object is watched so: its own version is that of its last change, which is soon too old to begin a watch from.
"""
_MAX_ATTEMPTS = 5
"""Caps the backoff: while no watch is open, changes are noticed late."""

_T = TypeVar("_T")


class EventHandler(Protocol[_T]):
    """Receives what a reflector sees."""

    def expect_listing(self) -> None:
        """Note that a list is asked for now: it is no older than anything that is known."""

    def replace(self, found: list[_T], version: int, *, watched: bool) -> None:
        """Take over a complete list, made at this resourceVersion; `watched`: without a gap since the last one."""

    def upsert(self, item: _T) -> None:
        """Handle an object that was added or modified."""

    def delete(self, item: _T) -> None:
        """Handle the deletion of an object, given in its last state."""

    def on_bookmark(self, version: int) -> None:
        """Note that every event up to this resourceVersion has been delivered."""

    def on_forbidden(self) -> None:
        """Note that the objects cannot be listed, because RBAC forbids it or they do not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWatch:
    """What to list and watch: a collection, or one object by its name."""

    what: str
    """Names the objects in messages."""
    path: str
    watch_path: str
    grant: str
    """The rights to grant if RBAC forbids it."""
    query: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    whole: bool = False
    """Request whole objects instead of their metadata."""


def secrets_list_watch(name: str, namespace: str = "") -> ListWatch:
    """Select the Secrets of one name, in one namespace or in all of them.

    RBAC can bound list and watch to a resourceName only for requests with exactly this field selector.
    """
    path, where = _collection("secrets", namespace)
    return ListWatch(
        what=f"Secrets named {name}{where}",
        path=path,
        watch_path=path,
        query=of_name(name),
        grant="get, list and watch on secrets",
    )


def namespace_list_watch(name: str) -> ListWatch:
    """Select one Namespace by the two paths that a Role in that namespace can allow."""
    return ListWatch(
        what=f"Namespace {name}",
        path=f"/api/v1/namespaces/{name}",
        watch_path=f"/api/v1/watch/namespaces/{name}",
        single=True,
        grant="get and watch on namespaces",
    )


def service_accounts_list_watch(namespace: str = "") -> ListWatch:
    """Select ServiceAccounts, in one namespace or in all of them; their `imagePullSecrets` are no metadata."""
    path, where = _collection("serviceaccounts", namespace)
    return ListWatch(
        what=f"ServiceAccounts{where}",
        path=path,
        watch_path=path,
        whole=True,
        grant="list, watch and patch on serviceaccounts",
    )


def roles_list_watch(name: str, namespace: str = "") -> ListWatch:
    """Select the metadata of ServiceAccounts of one name, or of all for "*", in one namespace or in all of them."""
    path, where = _collection("serviceaccounts", namespace)
    every = name == ALL
    return ListWatch(
        what=f"ServiceAccounts{where}" if every else f"ServiceAccounts named {name}{where}",
        path=path,
        watch_path=path,
        query={} if every else of_name(name),
        grant="get, list and watch on serviceaccounts",
    )


def _collection(resource: str, namespace: str) -> tuple[str, str]:
    if not namespace:
        return f"/api/v1/{resource}", ""
    return f"/api/v1/namespaces/{namespace}/{resource}", f" in {namespace}"


class Reflector(Generic[_T]):
    """Lists and watches, and lists again every `relist_interval`, so that no missed event matters for longer."""

    def __init__(
        self,
        client: ApiClient,
        list_watch: ListWatch,
        *,
        translate: Callable[[Mapping[str, Any]], _T],
        handler: EventHandler[_T],
        relist_interval: timedelta,
        rng: random.Random,
        recall: Callable[[Mapping[str, Any]], _T | None] = lambda _: None,
    ) -> None:
        """Have `translate` turn each object's metadata, or the whole object, into what the handler takes.

        `recall` returns what the same version was translated to before, if it is known.
        """
        self._client = client
        self._list_watch = list_watch
        self._translate_raw = translate
        self._recall = recall
        self._handler = handler
        self._relist_interval = relist_interval
        self._rng = rng
        self._told: int | None = None
        """Version up to which everything has been told; None if that is to begin anew."""
        self._until_relist: asyncio.Timeout | None = None
        self._causes = SaidCauses()
        self._opened_at: float | None = None

    def relist(self) -> None:
        """List anew now: no version that was told before can be relied on."""
        self._told = None
        if self._until_relist is not None:
            self._until_relist.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                self._opened_at = None
                await self._list()
                await self._watch()
                failures = 0
            except FailureError as error:
                self._told = None
                if self._opened_at is not None and asyncio.get_running_loop().time() - self._opened_at > WORKED_SECONDS:
                    self._causes.end()
                lasted = asyncio.get_running_loop().time() - began
                failures = 1 if lasted > _LONG_WATCH else min(failures + 1, _MAX_ATTEMPTS)
                delay = retry_delay(failures, self._rng.random()).total_seconds()
                if self._causes.is_new(str(error)):
                    logger.warning("watch of %s failed: %s; it is tried again", self._list_watch.what, error)
                await asyncio.sleep(delay)

    async def _list(self) -> None:
        """List, and let the watch go on where it was: what it tells again shows that it had missed nothing."""
        self._handler.expect_listing()
        try:
            found, version = await (self._get() if self._list_watch.single else self._list_all())
        except ApiError as error:
            if error.status in {FORBIDDEN, NOT_FOUND}:
                self._handler.on_forbidden()
            raise
        self._handler.replace(found, version, watched=self._told is not None)
        if self._list_watch.single:
            self._told = self._told or _ANY_VERSION
        elif self._told is None or version < self._told:  # or the versions went back
            self._told = version

    async def _get(self) -> tuple[list[_T], int]:
        response = await self._client.request("get", self._list_watch.path, accept=METADATA)
        if not response.ok:
            raise self._error(response.status, "get")
        return [self._translate(response.body)], int(response.body["metadata"]["resourceVersion"])

    async def _list_all(self) -> tuple[list[_T], int]:
        return await list_all(
            self._client,
            self._list_watch.path,
            what=self._list_watch.what,
            grant=self._list_watch.grant,
            translate=self._translate,
            query=self._list_watch.query,
            accept=JSON if self._list_watch.whole else METADATA_LIST,
        )

    async def _watch(self) -> None:
        """Watch until the next list is due or helps."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._relist_interval.total_seconds()) as self._until_relist:
                while self._told is not None:
                    opened = loop.time()
                    await self._follow()
                    if loop.time() - opened < _MIN_WATCH:
                        await asyncio.sleep(self._rng.random())
        except TimeoutError:
            return
        finally:
            self._until_relist = None

    async def _follow(self) -> None:
        """Follow one watch to its end, from what was told last; forget that version if it has expired."""
        query = {
            **self._list_watch.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self._told),
            "timeoutSeconds": str(self._rng.randrange(300, 600)),
        }
        path, accept = self._list_watch.watch_path, JSON if self._list_watch.whole else METADATA
        async with self._client.stream(path, query=query, accept=accept, idle_timeout=_IDLE_TIMEOUT) as events:
            self._opened_at = asyncio.get_running_loop().time()
            async for event in events:
                if event["type"] == "ERROR":
                    self._check_expired(event["object"].get("code", 0))
                    self._told = None
                    return
                if self._causes.end():
                    logger.info("watch of %s works again", self._list_watch.what)
                if self._told == _ANY_VERSION and event["type"] == "BOOKMARK":
                    self._told = None  # the object is gone since it was read
                    return
                version = int(event["object"]["metadata"]["resourceVersion"])
                self._handle(event["type"], event["object"])
                self._handler.on_bookmark(version)
                self._told = version

    def _check_expired(self, status: int) -> None:
        if status != GONE:
            raise self._error(status, "watch")

    def _handle(self, kind: str, raw: Mapping[str, Any]) -> None:
        if kind == "DELETED":
            self._handler.delete(self._translate(raw))
        elif kind != "BOOKMARK":
            self._handler.upsert(self._recall(raw["metadata"]) or self._translate(raw))

    def _translate(self, raw: Mapping[str, Any]) -> _T:
        return self._translate_raw(raw if self._list_watch.whole else raw["metadata"])

    def _error(self, status: int, verb: str) -> ApiError:
        return api_error(Response(status=status, body={}), verb, self._list_watch.what, grant=self._list_watch.grant)
