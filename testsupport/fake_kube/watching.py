"""Watches: streams of what changes, each reading the log of its resource at its own pace."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.listing import check_options, read_number
from testsupport.fake_kube.rendering import Renderer, WrongFormError, error_event, transition
from testsupport.fake_kube.request_info import TRUE, RequestRecord
from testsupport.fake_kube.selectors import Selection, selection
from testsupport.fake_kube.status import ApiError
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.versions import Change

DEFAULT_TIMEOUT = 2700.0
BOOKMARK_BEFORE_END = 2.0
"""A watch with a timeout gets a bookmark so many seconds before its end."""


@dataclass(eq=False, slots=True)
class Watch:
    """One open watch."""

    record: RequestRecord
    storage: str
    selected: Selection
    renderer: Renderer
    bookmarks: bool
    deadline: float
    position: int = 0
    after: int = 0
    """Only changes after this resourceVersion are sent."""
    open: bool = True
    bookmark_due: bool = False
    error: ApiError | None = None
    """Sent at the end."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """End the stream as soon as it can."""
        self.open = False
        self.changed.set()


def _named(record: RequestRecord) -> dict[str, str]:
    """Give the query of a watch; the old path, /watch/.../NAME, selects by its name as a field selector does."""
    by_path = record.path.rstrip("/").endswith(f"/{record.resource}/{record.name}") and bool(record.name)
    return record.query | ({"fieldSelector": f"metadata.name={record.name}"} if by_path else {})


class Watches:
    """All open watches; starts, feeds and ends them."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._thread = threading.get_ident()
        self._open: set[Watch] = set()
        store.listeners.append(self._changed)

    def __len__(self) -> int:
        return len(self._open)

    def drop(self, when: Callable[[RequestRecord], bool], error: ApiError | None = None) -> int:
        """Close the watches whose request fits, with this error if any; give how many."""
        dropped = [watch for watch in list(self._open) if when(watch.record)]
        for watch in dropped:
            watch.error = error
            self._in_loop(watch.close)
        return len(dropped)

    def send_bookmarks(self) -> None:
        """Send a bookmark now to every watch that takes them."""
        for watch in list(self._open):
            watch.bookmark_due = True
            self._in_loop(watch.changed.set)

    def start(self, call: Call, renderer: Renderer) -> tuple[Watch, list[bytes]]:
        """Open a watch; give it with the lines to begin with."""
        query = _named(call.record)
        check_options(query, watch=True)
        seconds = read_number(query.get("timeoutSeconds", "0")) or DEFAULT_TIMEOUT
        watch = Watch(
            record=call.record,
            storage=call.resource.storage,
            selected=selection(call.resource, call.namespace, query),
            renderer=renderer,
            bookmarks=query.get("allowWatchBookmarks") in TRUE,
            deadline=self._loop.time() + seconds,
        )
        with self._store.lock:
            return watch, self._begin(watch, query.get("resourceVersion", ""), query.get("sendInitialEvents"))

    async def lines(self, watch: Watch, first: list[bytes]) -> AsyncGenerator[bytes, None]:
        """Give the stream, in as few pieces as there are moments of news.

        In a form that no event can have, it ends where its first event would be.
        """
        self._open.add(watch)
        try:
            if first:
                yield b"".join(first)
            while watch.open:
                watch.changed.clear()
                news = self._news(watch)
                if news:
                    yield b"".join(news)
                elif not await self._wait(watch):
                    return
            if watch.error:
                yield error_event(watch.error)
        except WrongFormError:
            return
        finally:
            self._open.discard(watch)

    def _begin(self, watch: Watch, version: str, initial: str | None) -> list[bytes]:
        if version and not version.isdigit():
            why = f'strconv.ParseUint: parsing "{version}": invalid syntax'
            raise ApiError(500, "", f'resourceVersion: Invalid value: "{version}": {why}')
        log, now = self._store.log(watch.storage), self._store.resource_version
        wants_state = initial in TRUE if initial is not None else int(version or 0) == 0
        if not wants_state and version not in ("", "0"):
            return self._resume(watch, int(version))
        watch.position, watch.after = len(log.log), now
        return self._state(watch) if wants_state else []

    def _resume(self, watch: Watch, version: int) -> list[bytes]:
        try:
            self._store.check_not_expired(watch.storage, version)
        except ApiError as error:
            watch.open = False
            return [error_event(error)]
        watch.position, watch.after = self._store.log(watch.storage).position(version), version
        return []

    def _state(self, watch: Watch) -> list[bytes]:
        versions = self._store.versions(watch.storage)
        try:
            found = [watch.renderer.event("ADDED", v) for v in versions if watch.selected.matches(v.object)]
        except WrongFormError:
            watch.open = False
            return []
        if watch.bookmarks:
            found.append(watch.renderer.bookmark(watch.after, initial_events_end=True))
        return found

    def _news(self, watch: Watch) -> list[bytes]:
        with self._store.lock:
            log = self._store.log(watch.storage).log
            changes, watch.position = log[watch.position :], len(log)
            now = self._store.resource_version
        news = [line for change in changes if (line := self._line(watch, change))]
        if watch.bookmark_due:
            watch.bookmark_due = False
            # None that is older than where the watch began: such a watch is silent until the versions have caught up.
            news += [watch.renderer.bookmark(now)] if watch.bookmarks and now >= watch.after else []
        return news

    def _line(self, watch: Watch, change: Change) -> bytes | None:
        if change.swallowed or change.resource_version <= watch.after:
            return None
        before = change.previous is not None and watch.selected.matches(change.previous.object)
        seen = transition(change, before=before, after=watch.selected.matches(change.object))
        return watch.renderer.event(*seen) if seen else None

    async def _wait(self, watch: Watch) -> bool:
        """Wait for news or the time of the last bookmark; false at the end of the watch's time."""
        end = watch.deadline
        early = end - BOOKMARK_BEFORE_END
        last_call = watch.bookmarks and self._loop.time() < early
        try:
            async with asyncio.timeout_at(early if last_call else end):
                await watch.changed.wait()
        except TimeoutError:
            watch.bookmark_due = last_call
            return last_call
        return True

    def _changed(self, resource: str, _change: Change) -> None:
        for watch in list(self._open):
            if watch.storage == resource and not watch.changed.is_set():
                self._in_loop(watch.changed.set)

    def _in_loop(self, action: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            action()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the watch with it
                self._loop.call_soon_threadsafe(action)
