"""A history as text: the same seed gives the same one, byte for byte."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from testsupport.simulation.record import Period, Record
from testsupport.simulation.script import Action
from testsupport.simulation.world import Restart, Run

LISTS = ("aws", "kube", "refusing", "unauthorized", "slow_lists", "undoing", "registries", "storms", "unwatchable")
"""Kinds of faults that come in periods."""
Item = tuple[str, Action | Restart | Period]
"""Something that happens, with the list that it is in."""


def items(run: Run) -> list[Item]:
    """Return everything that happens in a run, in order of time."""
    found: list[Item] = [("actions", each) for each in run.actions]
    found += [("restarts", each) for each in run.restarts]
    found += [(kind, period) for kind in LISTS for period in getattr(run.faults, kind)]
    return sorted(found, key=lambda item: (_at(item[1]), item[0]))


def with_items(run: Run, kept: Sequence[Item]) -> Run:
    """Return the run in which only these things happen."""
    periods: dict[str, Any] = {kind: [each for name, each in kept if name == kind] for kind in LISTS}
    return replace(
        run,
        actions=[each for _, each in kept if isinstance(each, Action)],
        restarts=[each for _, each in kept if isinstance(each, Restart)],
        faults=replace(run.faults, **periods),
    )


def described(run: Run) -> Iterator[str]:
    """Yield a line for each thing that happens."""
    for kind, each in items(run):
        said = {field.name: getattr(each, field.name) for field in fields(each) if field.name not in ("at", "start")}
        given = {name: value for name, value in said.items() if value not in ("", (), {}, 0.0)}
        yield f"{_at(each):12.1f} {kind}: {', '.join(f'{name}={_short(value)}' for name, value in given.items())}"


def digest(record: Record) -> str:
    """Return a hash of all that was written, asked and said."""
    found = hashlib.sha256()
    for part in (record.secrets, record.namespaces, record.accounts, record.requests, record.aws_calls, record.texts):
        found.update(repr(_plain(part)).encode())
    return found.hexdigest()


def _plain(part: Any) -> Any:
    """Return a part of a record without what has no order."""
    if isinstance(part, dict):
        return sorted((key, _plain(value)) for key, value in part.items())
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if hasattr(part, "__dataclass_fields__"):
        return [_plain(getattr(part, field.name)) for field in fields(part)]
    return sorted(part) if isinstance(part, frozenset) else part


def _at(item: Action | Restart | Period) -> float:
    return item.start if isinstance(item, Period) else item.at


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:160]}…"
