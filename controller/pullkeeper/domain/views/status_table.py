"""How namespaces stand, as a table for people and as a document for machines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import Kind
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.namespace_status import NamespaceStatus, State

_GREEN, _YELLOW, _RED, _PLAIN = "\033[32m", "\033[33m", "\033[31m", "\033[0m"
_COLOURS = {
    State.READY: _GREEN,
    State.LEAVING: _PLAIN,
    State.PENDING: _YELLOW,
    State.BEHIND: _YELLOW,
    State.OVERDUE: _YELLOW,
}
_LONGEST = 60
_COLUMNS = ("NAMESPACE", "REGISTRIES", "IDENTITY", "AGE", "LEFT", "STATE", "LAST PROBLEM")
_WIDE = ("ISSUED", "EXPIRES", "DUE")


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusReport:
    """All that there is to show."""

    standings: Sequence[NamespaceStatus]
    now: datetime
    notes: Sequence[str] = ()
    """What could not be told, and why."""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(each.wrong for each in self.standings)


def as_text(overview: StatusReport, *, wide: bool = False, colours: bool = False) -> str:
    """Write the table, then all that is wrong in full, then the count."""
    now = overview.now
    head = (*_COLUMNS[:-1], *_WIDE, _COLUMNS[-1]) if wide else _COLUMNS
    rows = [_cells(each, now, wide=wide) for each in overview.standings]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [_line(head, widths)] if rows else []
    for each, cells in zip(overview.standings, rows, strict=True):
        lines.append(_line(cells, widths, colour=_COLOURS.get(each.state, _RED) if colours else ""))
    wrong = [line for each in overview.standings if each.wrong for line in _in_full(each, now)]
    notes = [f"note: {note}" for note in overview.notes]
    parts = [lines, wrong, [_count(overview.standings)], notes]
    return "\n\n".join("\n".join(part) for part in parts if part)


def as_document(overview: StatusReport) -> Mapping[str, Any]:
    """Write the same for machines: times as RFC 3339, and nothing cut."""
    return {
        "ok": overview.well,
        "time": _text(overview.now),
        "namespaces": [_entry(each) for each in overview.standings],
        "notes": list(overview.notes),
    }


def _cells(each: NamespaceStatus, now: datetime, *, wide: bool) -> tuple[str, ...]:
    hosts = each.registries
    shown = ",".join(hosts) if wide else _first(hosts)
    who = each.identity if wide else _short(each.identity)
    age = format_duration(now - each.issued_at) if each.issued_at else "-"
    times = [_text(each.issued_at), _text(each.expires_at), _text(each.due_at)] if wide else []
    problem = _problem(each)
    problem = problem if wide or len(problem) <= _LONGEST else f"{problem[: _LONGEST - 1]}…"
    return (each.namespace, shown or "-", who or "-", age, _left(each, now), each.state.value, *times, problem or "-")


def _first(hosts: Sequence[str]) -> str:
    return f"{hosts[0]} +{len(hosts) - 1}" if len(hosts) > 1 else "".join(hosts)


def _short(name: str) -> str:
    """Cut an identity to what tells it from the others of the same account."""
    try:
        found = identity.parse(name)
    except ValueError:
        return name
    if found.kind is Kind.SERVICE_ACCOUNT:
        return f"serviceaccount/{found.service_account[1]}"
    return f"role/{name.partition(':role/')[2]}" if found.kind is Kind.ROLE else name


def _left(each: NamespaceStatus, now: datetime) -> str:
    if each.expires_at is None:
        return "-"
    left = each.expires_at - now
    return format_duration(left) if left > timedelta() else "none"


def _problem(each: NamespaceStatus) -> str:
    """Name the last problem, the controller's own word for it first."""
    if each.warned:
        return f"{each.warned.reason}: {_told(each)}"
    return "; ".join(each.problems)


def _told(each: NamespaceStatus) -> str:
    return each.warned.note.removeprefix(f"namespace/{each.namespace}: ") if each.warned else ""


def _in_full(each: NamespaceStatus, now: datetime) -> Iterable[str]:
    yield f"{each.namespace} ({each.state}):"
    yield from (f"  {problem}" for problem in each.problems)
    if each.warned:
        yield f"  {each.warned.reason}, {format_duration(now - each.warned.at)} ago: {_told(each)}"


def _line(cells: Sequence[str], widths: Sequence[int], colour: str = "") -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    state = _COLUMNS.index("STATE")
    if colour:
        padded[state] = f"{colour}{padded[state]}{_PLAIN}"
    return "   ".join(padded).rstrip()


def _count(standings: Sequence[NamespaceStatus]) -> str:
    if not standings:
        return "no namespace asks for a pull Secret"
    counts = Counter(each.state for each in standings)
    found = ", ".join(f"{counts[state]:,} {state}" for state in State if counts[state])
    return f"{len(standings):,} namespace{'s' if len(standings) > 1 else ''}: {found}"


def _entry(each: NamespaceStatus) -> dict[str, Any]:
    warned = each.warned
    return {
        "namespace": each.namespace,
        "state": each.state.value,
        "wrong": each.wrong,
        "registries": list(each.registries),
        "identity": each.identity or None,
        "issuedAt": _text(each.issued_at) if each.issued_at else None,
        "expiresAt": _text(each.expires_at) if each.expires_at else None,
        "dueAt": _text(each.due_at) if each.due_at else None,
        "problems": list(each.problems),
        "lastWarning": {"reason": warned.reason, "note": warned.note, "at": _text(warned.at)} if warned else None,
    }


def _text(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
