"""The forms that a single setting can have: each reads what was written, or says what is expected."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pullkeeper.domain.ecr.registry_host import RegistryHost, parse_registries
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 253
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_DURATION_FORM = 'a duration such as "90s", "10m" or "1h30m"'


@dataclass(frozen=True, slots=True)
class Field:
    """How one setting is read: `parse` raises ValueError, and `text` says what it takes."""

    text: str
    parse: Callable[[Any], Any]


class FieldError(ValueError):
    """An error whose text says more of what is expected than the setting's form does."""


def name(value: object) -> str:
    """Read a name as Kubernetes takes it for Secrets, Leases and Namespaces."""
    if isinstance(value, str) and len(value) <= _LONGEST_NAME and _NAME.fullmatch(value):
        return value
    raise ValueError


def names(value: object) -> tuple[str, ...]:
    """Read a list of names, or a text of them with commas in between."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise TypeError
    return tuple(sorted({name(part) for part in parts if part != ""}))


def cluster_name(value: object) -> str:
    """Read a name that fits into the name of an STS session."""
    if isinstance(value, str) and _CLUSTER_NAME.fullmatch(value):
        return value
    raise ValueError


def registries(value: object) -> tuple[RegistryHost, ...]:
    """Read a list of registry hosts, or a text of them."""
    text = "\n".join(value) if isinstance(value, list) else value
    if not isinstance(text, str):
        raise TypeError
    hosts, problems = parse_registries(text, "")
    if problems:
        raise FieldError("; ".join(f"for {problem.found}: {problem.expected}" for problem in problems))
    return hosts


def accounts(value: object) -> ServiceAccountNames:
    """Read a list of ServiceAccounts' names, or a text of them with commas in between."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise TypeError
    found, wrong = service_account_names.parse(parts)
    if wrong:
        raise ValueError
    return found


def number(low: float, high: float) -> Callable[[object], float]:
    """Take a number within these bounds, a text of digits too."""

    def parse(value: object) -> float:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1
        if low <= found <= high:
            return found
        raise ValueError

    return parse


def whole(low: int, high: int) -> Callable[[object], int]:
    """Take a whole number within these bounds."""
    within = number(low, high)

    def parse(value: object) -> int:
        found = within(value)
        if found == int(found):
            return int(found)
        raise ValueError

    return parse


def _duration(low: timedelta, high: timedelta) -> Callable[[object], timedelta]:
    def parse(value: object) -> timedelta:
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            raise ValueError
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if low <= length <= high:
            return length
        raise ValueError

    return parse


def flag(value: object) -> bool:
    """Read true or false."""
    known = {True: True, False: False, "true": True, "false": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise ValueError


def one_of(*words: str) -> Field:
    """Take one of a few words."""

    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError

    return Field("one of " + ", ".join(words), parse)


def verify(value: object) -> str:
    """Read when tokens are tried at their registries; YAML makes false of a bare `off`."""
    return "off" if value is False else str(one_of("off", "new", "continuous").parse(value))


def text(value: object) -> str:
    """Read any text."""
    if isinstance(value, str):
        return value
    raise TypeError


def lasting(low: timedelta, high: timedelta, words: str) -> Field:
    """Take a duration within these bounds, which `words` says again."""
    return Field(f"{_DURATION_FORM}, {words}", _duration(low, high))
