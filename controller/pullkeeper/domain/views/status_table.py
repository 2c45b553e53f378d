"""The status of namespaces as a table for people and as a document for machines."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.errors.text import printable, shortened
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.kube.timestamps import format_timestamp
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.views.additional_status import AdditionalStatus
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.namespace_status import NamespaceStatus

_GREEN, _YELLOW, _RED, _PLAIN = "\033[32m", "\033[33m", "\033[31m", "\033[0m"
_COLOURS = {
    State.READY: _GREEN,
    State.TERMINATING: _PLAIN,
    State.PENDING: _YELLOW,
    State.OUTDATED: _YELLOW,
    State.FAILING: _YELLOW,
}
"""Every other state is red."""
_MAX_PROBLEM_LENGTH = 60
_COLUMNS = ("NAMESPACE", "REGISTRIES", "IDENTITY", "AGE", "LEFT", "STATE", "LAST PROBLEM")
_ADDITIONAL = "ADDITIONAL"
"""Shown where there are additional Secrets."""
_WIDE_COLUMNS = ("ISSUED", "EXPIRES", "REFRESH", "PODS", "PRINCIPAL")


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusReport:
    """Everything that `status` shows."""

    namespaces: Sequence[NamespaceStatus]
    now: datetime
    notes: Sequence[str] = ()
    """What could not be determined, and why."""

    @property
    def healthy(self) -> bool:
        """Whether no namespace is unhealthy."""
        return not any(status.unhealthy for status in self.namespaces)


def as_text(report: StatusReport, *, wide: bool = False, colours: bool = False) -> str:
    """Return the table, then the problems of unhealthy namespaces in full, the counts and the notes."""
    now = report.now
    others = (_ADDITIONAL,) if any(status.additional for status in report.namespaces) else ()
    header = (*_COLUMNS[:-1], *(_WIDE_COLUMNS if wide else ()), *others, _COLUMNS[-1])
    rows = [(each.state, _cells(each, now, wide=wide, additional=bool(others))) for each in report.namespaces]
    widths = [max(map(len, column)) for column in zip(header, *(cells for _, cells in rows), strict=True)]
    table = [_row(header, widths)] if rows else []
    table += [_row(cells, widths, colour=_COLOURS.get(state, _RED) if colours else "") for state, cells in rows]
    details = [printable(line) for status in report.namespaces if status.unhealthy for line in _details(status, now)]
    notes = [printable(f"note: {note}") for note in (*_left_out(report.namespaces), *report.notes)]
    sections = [table, details, [_counts(report.namespaces)], notes]
    return "\n\n".join("\n".join(section) for section in sections if section)


def as_document(report: StatusReport) -> Mapping[str, Any]:
    """Return the same for machines, with times in RFC 3339 and nothing shortened."""
    return {
        "ok": report.healthy,
        "time": _timestamp(report.now),
        "namespaces": [_entry(status) for status in report.namespaces],
        "notes": list(report.notes),
    }


def _cells(status: NamespaceStatus, now: datetime, *, wide: bool, additional: bool) -> tuple[str, ...]:
    hosts = status.registries
    shown = ",".join(hosts) if wide else _first(hosts)
    names = list(status.identities)
    who = ",".join(names) if wide else _first([_short_identity(name) for name in names])
    age = format_duration(now - status.issued_at) if status.issued_at else "-"
    moments = (status.issued_at, status.expires_at, status.refresh_at) if wide else ()
    others = (status.injection, ",".join(status.principals.values())) if wide else ()
    more = [*(_timestamp(moment) or "-" for moment in moments), *(other or "-" for other in others)]
    if additional:
        more.append((_each_additional(status, now) if wide else _additional(status)) or "-")
    problem = _last_problem(status)
    if not wide:
        problem = shortened(problem, _MAX_PROBLEM_LENGTH)
    left, state = _left(status, now), status.state.value
    cells = (status.namespace, shown or "-", who or "-", age, left, state, *more, problem or "-")
    return tuple(map(printable, cells))


def _additional(status: NamespaceStatus) -> str:
    """Count the additional Secrets, and those that are as they should be."""
    ready, number = sum(each.state is State.READY for each in status.additional), len(status.additional)
    return f"{ready} of {number} ready" if ready < number else f"{number} ready" if number else ""


def _each_additional(status: NamespaceStatus, now: datetime) -> str:
    return ",".join(f"{each.name}={each.state}/{_left(each, now)}" for each in status.additional)


def _first(hosts: Sequence[str]) -> str:
    first, *others = hosts or ("",)
    return f"{first} +{len(others)}" if others else first


def _short_identity(name: str) -> str:
    """Shorten an identity to the part that distinguishes it from others of the same account."""
    parsed = Identity(name=name)
    if parsed.kind is Kind.SERVICE_ACCOUNT:
        return f"serviceaccount/{parsed.service_account[1]}"
    return f"role/{name.partition(':role/')[2]}" if ":role/" in name else name


def _left(status: NamespaceStatus | AdditionalStatus, now: datetime) -> str:
    if status.expires_at is None:
        return "-"
    left = status.expires_at - now
    return format_duration(left) if left > timedelta() else "none"


def _last_problem(status: NamespaceStatus) -> str:
    """Return the controller's last warning if there is one, else the problems that the metadata shows."""
    warning = status.last_warning
    return f"{warning.reason}: {_note(warning)}" if warning else "; ".join((*status.problems, *_of_additional(status)))


def _of_additional(status: NamespaceStatus) -> Iterator[str]:
    for each in status.additional:
        yield from (f"Secret {each.name} ({each.state}): {problem}" for problem in each.problems)


def _note(warning: LastWarning) -> str:
    return warning.note.removeprefix(f"namespace/{warning.namespace}: ")


def _details(status: NamespaceStatus, now: datetime) -> Iterable[str]:
    yield f"{status.namespace} ({status.state}):"
    yield from (f"  {problem}" for problem in (*status.problems, *_of_additional(status)))
    if warning := status.last_warning:
        yield f"  {warning.reason}, {format_duration(now - warning.at)} ago: {_note(warning)}"


def _row(cells: Sequence[str], widths: Sequence[int], colour: str = "") -> str:
    padded = list(map(str.ljust, cells, widths))
    state = _COLUMNS.index("STATE")
    if colour:
        padded[state] = f"{colour}{padded[state]}{_PLAIN}"
    return "   ".join(padded).rstrip()


def _counts(statuses: Sequence[NamespaceStatus]) -> str:
    if not statuses:
        return "no namespace requests a pull Secret"
    counts = Counter(status.state for status in statuses)
    by_state = ", ".join(f"{counts[state]:,} {state}" for state in State if counts[state])
    others = [each for status in statuses for each in status.additional]
    ready = sum(each.state is State.READY for each in others)
    additional = f"; additional Secrets: {ready:,} of {len(others):,} ready" if others else ""
    return f"{len(statuses):,} namespace{'s' if len(statuses) > 1 else ''}: {by_state}{additional}"


def _left_out(statuses: Sequence[NamespaceStatus]) -> Iterator[str]:
    """Say which default registries are left out, and how often: many namespaces may be concerned."""
    names: dict[str, list[str]] = {}
    for status in statuses:
        for host in status.left_out:
            names.setdefault(host, []).append(status.namespace)
    for host, found in sorted(names.items()):
        where = f"namespace/{found[0]}" if len(found) == 1 else f"{len(found):,} namespaces"
        yield f"{host} is left out in {where}, which may not use this default registry; -o json says why"


def _entry(status: NamespaceStatus) -> dict[str, Any]:
    warning = status.last_warning
    return {
        "namespace": status.namespace,
        "state": status.state.value,
        "unhealthy": status.unhealthy,
        "registries": list(status.registries),
        "leftOut": dict(status.left_out),
        "identities": [
            {"identity": name, "principal": status.principals.get(name), "registries": list(hosts)}
            for name, hosts in status.identities.items()
        ],
        "issuedAt": _timestamp(status.issued_at),
        "expiresAt": _timestamp(status.expires_at),
        "refreshAt": _timestamp(status.refresh_at),
        "injection": status.injection.value if status.injection else None,
        "problems": list(status.problems),
        "additionalSecrets": [_additional_entry(each) for each in status.additional],
        "lastWarning": warning and {"reason": warning.reason, "note": warning.note, "at": _timestamp(warning.at)},
    }


def _additional_entry(status: AdditionalStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "registry": status.registry,
        "state": status.state.value,
        "unhealthy": status.unhealthy,
        "expiresAt": _timestamp(status.expires_at),
        "refreshAt": _timestamp(status.refresh_at),
        "problems": list(status.problems),
    }


def _timestamp(moment: datetime | None) -> str | None:
    return format_timestamp(moment) if moment else None
