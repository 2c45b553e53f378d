"""Parsers for single settings: each returns a value, or raises with what is expected instead."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pullkeeper.domain.config import own_sources
from pullkeeper.domain.config.pattern import NAMESPACE_PATTERN
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse_registries
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.installation_class import is_class
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME_LENGTH = 253
CLUSTER_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
DURATION_FORM = 'a duration such as "90s", "10m" or "1h30m"'


@dataclass(frozen=True, slots=True)
class Field:
    """How one setting is parsed: `parse` raises ValueError or TypeError, and `expected` describes valid values."""

    expected: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    """What is given in a file, as JSON Schema; the schema of the chart's values is made of it."""
    seconds: tuple[int, int] | None = None
    """The bounds of a duration."""


class FieldError(ValueError):
    """An error whose text describes what is expected more precisely than the field does."""


def parse_name(value: object) -> str:
    """Parse a Kubernetes object name (an RFC 1123 subdomain)."""
    if isinstance(value, str) and len(value) <= _MAX_NAME_LENGTH and _NAME.fullmatch(value):
        return value
    raise ValueError


def parse_names(value: object) -> tuple[str, ...]:
    """Parse object names from a list or from comma-separated text; sorted, without duplicates."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise TypeError
    return tuple(sorted({parse_name(part) for part in parts if part != ""}))


def parse_namespace_patterns(value: object) -> tuple[str, ...]:
    """Parse patterns of Namespace names from a list or from comma-separated text; sorted, without duplicates."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise TypeError
    patterns = {part for part in parts if part}
    if not all(map(NAMESPACE_PATTERN.fullmatch, patterns)):
        raise ValueError
    return tuple(sorted(patterns))


def parse_cluster_name(value: object) -> str:
    """Parse a name that fits into the name of an STS session."""
    if isinstance(value, str) and CLUSTER_NAME.fullmatch(value):
        return value
    raise ValueError


def parse_class(value: object) -> str:
    """Parse the class of an installation."""
    if isinstance(value, str) and is_class(value):
        return value
    raise ValueError


def parse_registry_hosts(value: object) -> tuple[RegistryHost, ...]:
    """Parse registry hosts from a list or from text separated by commas or newlines."""
    text = "\n".join(value) if isinstance(value, list) else value
    if not isinstance(text, str):
        raise TypeError
    hosts, problems = parse_registries(text, "")
    if problems:
        raise FieldError(listed((f"for {each.found}: {each.expected}" for each in problems), separator="; "))
    return tuple(sorted(hosts))


def parse_service_accounts(value: object) -> ServiceAccountNames:
    """Parse ServiceAccount names from a list or from comma-separated text."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise TypeError
    names, invalid = service_account_names.parse(parts)
    if invalid:
        raise ValueError
    return names


def parse_roles_anywhere(value: object) -> RolesAnywhere:
    """Parse an identity of IAM Roles Anywhere."""
    try:
        return own_sources.parse_roles_anywhere(value)
    except ValueError as error:
        raise FieldError(str(error)) from None


def parse_flag(value: object) -> bool:
    """Parse true or false, as a boolean or as text."""
    known = {True: True, False: False, "true": True, "false": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise ValueError


def parse_text(value: object) -> str:
    """Parse any text."""
    if isinstance(value, str):
        return value
    raise TypeError


def parse_verify(value: object) -> str:
    """Parse when tokens are verified; YAML reads a bare `off` as false."""
    return "off" if value is False else str(choice("off", "new", "continuous").parse(value))


def flag() -> Field:
    """Return a field that takes true or false."""
    return Field("true or false", parse_flag, {"type": "boolean"})


def texts(expected: str, parse: Callable[[object], Any]) -> Field:
    """Return a field that takes a list of texts."""
    return Field(expected, parse, {"type": "array", "items": {"type": "string"}})


def number(low: float, high: float) -> Field:
    """Return a field that takes a number within these bounds, given as a number or as text."""
    schema = {"type": "number", "minimum": low, "maximum": high}
    return Field(f"a number from {low} to {high}", _number(low, high), schema)


def _number(low: float, high: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        if isinstance(value, int | float | str) and not isinstance(value, bool) and low <= float(value) <= high:
            return float(value)
        raise ValueError

    return parse


def integer(low: int, high: int, what: str = "a whole number") -> Field:
    """Return a field that takes a whole number within these bounds; `what` says in words what kind of number."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Field(f"{what} from {low} to {high}", _integer(low, high), schema)


def _integer(low: int, high: int) -> Callable[[object], int]:
    parse_number = _number(low, high)

    def parse(value: object) -> int:
        parsed = parse_number(value)
        if parsed == int(parsed):
            return int(parsed)
        raise ValueError

    return parse


def choice(*words: str) -> Field:
    """Return a field that takes one of a few words."""

    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError

    return Field("one of " + ", ".join(words), parse, {"type": "string", "enum": list(words)})


def duration(low: timedelta, high: timedelta, bounds: str) -> Field:
    """Return a field that takes a duration within these bounds; `bounds` states them in words."""
    seconds = (int(low.total_seconds()), int(high.total_seconds()))
    return Field(f"{DURATION_FORM}, {bounds}", _duration(low, high), seconds=seconds)


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
