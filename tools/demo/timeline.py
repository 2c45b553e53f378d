"""What has happened so far in each namespace, as a watcher of the API server saw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from testsupport.secret_recorder import Version
from tools.demo.namespaces import NAMESPACES, DemoNamespace


class State(StrEnum):
    """The state of a namespace, as the demo shows it."""

    OUTSIDE = "not opted in"
    WAITING = "waiting"
    READY = "ready"
    MISSING = "no Secret"
    MISCONFIGURED = "misconfigured"
    OPTING_OUT = "opting out"
    OPTED_OUT = "opted out"


@dataclass(kw_only=True, slots=True)
class Row:
    """One namespace."""

    namespace: DemoNamespace
    state: State = State.OUTSIDE
    asked_at: datetime | None = None
    """When the demo last did something to it."""
    first_ms: int | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    rotations: int = 0
    last: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the log, about a namespace or the controller; without a name it is the heading of a scene."""

    seconds: float
    who: str
    text: str
    is_warning: bool = False


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def milliseconds(start: datetime, end: datetime) -> int:
    """Return the milliseconds between two moments."""
    return round((end - start).total_seconds() * 1000)


class Timeline:
    """Follows the versions of Secrets that a recorder has seen, and what the demo does to namespaces."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions = versions
        self._read = 0
        self.opened_at = now()
        self.rows = {namespace.name: Row(namespace=namespace) for namespace in NAMESPACES}
        self.entries: list[Entry] = []
        self.scene = ""

    def start_scene(self, scene: str) -> None:
        """Record the beginning of a scene."""
        self.update()
        self.scene = scene
        self._append("", scene, now())

    def record_action(self, namespace: str, text: str, state: State) -> datetime:
        """Record an action on a namespace and its state until something follows; return the time."""
        self.update()
        row = self.rows[namespace]
        row.asked_at, row.state = now(), state
        self._record(row, text, row.asked_at)
        return row.asked_at

    def event(self, namespace: str, reason: str, note: str) -> None:
        """Record an Event that the controller posted."""
        self.update()
        if namespace in self.rows:
            self.rows[namespace].last = f"Event {reason}"
        self._append(namespace, f"Event {reason}: {note}", now(), is_warning=True)

    def note(self, who: str, text: str) -> None:
        """Record something that is not about a namespace of the table."""
        self.update()
        self._append(who, text, now())

    def update(self) -> None:
        """Record every version that has been seen since the last call."""
        while self._read < len(self._versions):
            version = self._versions[self._read]
            self._read += 1
            self._take(self.rows[version.namespace], version)

    def _take(self, row: Row, version: Version) -> None:
        follow = {"ADDED": self._added, "MODIFIED": self._modified, "DELETED": self._deleted}[version.kind]
        text = follow(row, version)
        if version.kind != "DELETED":
            row.expires_at = version.expires_at
            row.issued_at = datetime.fromisoformat(version.annotations["pullkeeper.dev/issued-at"])
        self._record(row, text, version.seen_at)

    def _added(self, row: Row, version: Version) -> str:
        row.state = State.READY
        passed = milliseconds(row.asked_at or version.seen_at, version.seen_at)
        if row.first_ms is None:
            row.first_ms = passed
            return f"Secret created in {passed} ms"
        return f"Secret restored in {passed} ms"

    def _modified(self, row: Row, version: Version) -> str:
        if row.expires_at is None or version.expires_at <= row.expires_at:
            return "Secret rewritten"
        row.rotations += 1
        left = (row.expires_at - version.seen_at).total_seconds()
        return f"rotated, {left:.0f} s before expiry"

    def _deleted(self, row: Row, version: Version) -> str:
        row.expires_at = row.issued_at = None
        if row.state is not State.OPTING_OUT:
            row.state = State.MISSING
            return "Secret deleted"
        row.state = State.OPTED_OUT
        return f"Secret deleted in {milliseconds(row.asked_at or version.seen_at, version.seen_at)} ms"

    def _record(self, row: Row, text: str, at: datetime) -> None:
        row.last = text
        self._append(row.namespace.name, text, at)

    def _append(self, who: str, text: str, at: datetime, *, is_warning: bool = False) -> None:
        seconds = (at - self.opened_at).total_seconds()
        self.entries.append(Entry(seconds=seconds, who=who, text=text, is_warning=is_warning))
