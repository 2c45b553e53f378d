"""What has happened so far, namespace by namespace, as the watcher of the API server saw it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from testsupport.secret_recorder import Version
from tools.demo.namespaces import CAST, Member


class State(StrEnum):
    """How a namespace stands."""

    OUTSIDE = "not opted in"
    WAITING = "waiting"
    READY = "ready"
    MISSING = "no Secret"
    MISCONFIGURED = "misconfigured"
    LEAVING = "leaving"
    LEFT = "opted out"


@dataclass(kw_only=True, slots=True)
class Row:
    """One namespace."""

    member: Member
    state: State = State.OUTSIDE
    asked_at: datetime | None = None
    """When somebody last did something to it."""
    first_ms: int | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    rotations: int = 0
    last: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One line of the story, mostly of a namespace; of nobody, it is the heading of a scene."""

    seconds: float
    who: str
    text: str
    trouble: bool = False


def now() -> datetime:
    """Give the time, with its zone."""
    return datetime.now(UTC)


def milliseconds(start: datetime, end: datetime) -> int:
    """Give the time between two moments."""
    return round((end - start).total_seconds() * 1000)


class Board:
    """Follows the versions of Secrets that a recorder has seen, and takes notes of what is done to namespaces."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions = versions
        self._read = 0
        self.opened_at = now()
        self.rows = {member.name: Row(member=member) for member in CAST}
        self.happenings: list[Happening] = []
        self.scene = ""

    def begin(self, scene: str) -> None:
        """Take note of a scene's beginning."""
        self.catch_up()
        self.scene = scene
        self._note("", scene, now())

    def done_to(self, namespace: str, text: str, state: State) -> datetime:
        """Take note of what is done to a namespace just now, and how it stands until something follows."""
        self.catch_up()
        row = self.rows[namespace]
        row.asked_at, row.state = now(), state
        self._tell(row, text, row.asked_at)
        return row.asked_at

    def event(self, namespace: str, reason: str, note: str) -> None:
        """Take note of an Event that the controller posted."""
        self.catch_up()
        self.rows[namespace].last = f"Event {reason}"
        self._note(namespace, f"Event {reason}: {note}", now(), trouble=True)

    def remark(self, who: str, text: str) -> None:
        """Take note of something that is about no one namespace."""
        self.catch_up()
        self._note(who, text, now())

    def catch_up(self) -> None:
        """Take note of every version that has been seen since the last time."""
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
        self._tell(row, text, version.seen_at)

    def _added(self, row: Row, version: Version) -> str:
        row.state = State.READY
        passed = milliseconds(row.asked_at or version.seen_at, version.seen_at)
        if row.first_ms is None:
            row.first_ms = passed
            return f"Secret created in {passed} ms"
        return f"Secret back in {passed} ms"

    def _modified(self, row: Row, version: Version) -> str:
        if row.expires_at is None or version.expires_at <= row.expires_at:
            return "Secret rewritten"
        row.rotations += 1
        left = (row.expires_at - version.seen_at).total_seconds()
        return f"rotated, {left:.0f} s before expiry"

    def _deleted(self, row: Row, version: Version) -> str:
        row.expires_at = row.issued_at = None
        if row.state is not State.LEAVING:
            row.state = State.MISSING
            return "Secret is gone"
        row.state = State.LEFT
        return f"Secret removed in {milliseconds(row.asked_at or version.seen_at, version.seen_at)} ms"

    def _tell(self, row: Row, text: str, at: datetime) -> None:
        row.last = text
        self._note(row.member.name, text, at)

    def _note(self, who: str, text: str, at: datetime, *, trouble: bool = False) -> None:
        seconds = (at - self.opened_at).total_seconds()
        self.happenings.append(Happening(seconds=seconds, who=who, text=text, trouble=trouble))
