"""The installation's settings: from a document and the environment into one frozen value, or every problem at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controller.core.annotations import parse_registries
from controller.core.policy import ANYBODY, NO_NAMESPACE, NOBODY, Grant, Matcher, Policy, RoleGrant
from controller.core.policy_settings import Reader
from controller.core.problem import InvalidInputError, Problem, quoted
from controller.core.registry_host import FORM, RegistryHost
from controller.core.schedule import Rotation

VARIABLE_PREFIX = "PULLKEEPER_"

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 253
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_POLICY_KEYS = ("roles", "controllerIdentity", "serviceAccountIdentity", "optIn")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_DURATION_FORM = 'a duration such as "90s", "10m" or "1h30m"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that an installation can set. `read` fills it; each field's comment is its documentation."""

    secret_name: str = "ecr-pull-secret"  # noqa: S105 -- a name
    """Name of the pull Secret, the same in every namespace."""
    registries: tuple[RegistryHost, ...] = ()
    """Registry hosts of a namespace that names none itself."""
    cluster_name: str = "kubernetes"
    """Names the cluster in the sessions of assumed roles, for CloudTrail."""
    roles: tuple[RoleGrant, ...] = ()
    """Which roles which namespaces may use; none by default."""
    controller_identity: Grant = ANYBODY
    """Which namespaces may use the controller's own identity; all by default."""
    service_accounts: Grant = NOBODY
    """Which namespaces may fetch as a ServiceAccount of theirs; none by default, for it needs rights of its own."""
    opt_in: Matcher = NO_NAMESPACE
    """Namespaces that the installation opts in."""
    opt_in_exclude: Matcher = NO_NAMESPACE
    """Namespaces that it does not, although `opt_in` fits."""
    refresh_fraction: float = 0.5
    """A token is due after this part of its life."""
    refresh_window: timedelta = timedelta(minutes=10)
    """Namespaces are moved within this window, so that a rotation does not write them all at once."""
    max_age: timedelta = timedelta(hours=6)
    """A token is due at this age, whatever its life."""
    audit_interval: timedelta = timedelta(minutes=10)
    """Everything is listed anew so often, which finds what a watch has missed."""
    concurrency: int = 16
    """So many namespaces are worked on at the same time."""
    allow_node_role: bool = False
    """Whether the node's own role will do as the controller's identity."""
    http_port: int = 8080
    """Port of /healthz, /readyz and /metrics; 0 takes a free one."""
    http_host: str = ""
    """Address to bind that port to; empty is every one of the pod's."""
    log_format: str = "json"
    """`json` for machines, `text` for people."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""

    @property
    def policy(self) -> Policy:
        """Give what may change without a restart."""
        return Policy(
            registries=self.registries,
            cluster_name=self.cluster_name,
            roles=self.roles,
            controller_identity=self.controller_identity,
            service_accounts=self.service_accounts,
            opt_in=self.opt_in,
            opt_in_exclude=self.opt_in_exclude,
        )

    @property
    def rotation(self) -> Rotation:
        """Give the refresh rule."""
        return Rotation(fraction=self.refresh_fraction, window=self.refresh_window, max_age=self.max_age)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one setting is read: `parse` raises ValueError, and `form` says what it takes."""

    form: str
    parse: Callable[[Any], Any]


def read(document: object, environment: Mapping[str, str]) -> Settings:
    """Read the settings file's document (None: an empty file); variables `PULLKEEPER_…` go before it.

    Raises InvalidInputError with every problem: key, value found, form expected.
    """
    if not isinstance(document, Mapping | None):
        problem = Problem(where="the settings", found=quoted(document), expected="a mapping of keys to values")
        raise InvalidInputError([problem])
    given = dict(document or {})
    problems = [_unknown(key) for key in given if key not in {*_KINDS, *_POLICY_KEYS}]
    values: dict[str, Any] = {}
    for key, kind in _KINDS.items():
        variable = VARIABLE_PREFIX + _snake(key).upper()
        where, found = (variable, environment[variable]) if variable in environment else (key, given.get(key))
        if found is None:
            continue
        try:
            values[_snake(key)] = kind.parse(found)
        except (ValueError, TypeError, OverflowError) as error:
            expected = str(error) if isinstance(error, _TellingError) else kind.form
            problems.append(Problem(where=where, found=quoted(found), expected=expected))
    reader = Reader()
    values |= _policy(given, reader)
    if problems or reader.problems:
        raise InvalidInputError([*problems, *reader.problems])
    return Settings(**values)


def _policy(given: Mapping[Any, Any], reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.get("roles") is not None:
        found["roles"] = reader.roles(given["roles"])
    if given.get("controllerIdentity") is not None:
        found["controller_identity"] = reader.grant(given["controllerIdentity"], "controllerIdentity", to_all=True)
    if given.get("serviceAccountIdentity") is not None:
        found["service_accounts"] = reader.grant(
            given["serviceAccountIdentity"], "serviceAccountIdentity", to_all=False
        )
    if given.get("optIn") is not None:
        found["opt_in"], found["opt_in_exclude"] = reader.opt_in(given["optIn"])
    return found


class _TellingError(ValueError):
    """An error whose text says more of what is expected than the setting's form does."""


def _unknown(key: object) -> Problem:
    return Problem(where=str(key), found="an unknown key", expected=f"one of {', '.join((*_KINDS, *_POLICY_KEYS))}")


def _snake(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()


def _name(value: object) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST_NAME and _NAME.fullmatch(value):
        return value
    raise ValueError


def _cluster_name(value: object) -> str:
    if isinstance(value, str) and _CLUSTER_NAME.fullmatch(value):
        return value
    raise ValueError


def _registries(value: object) -> tuple[RegistryHost, ...]:
    text = "\n".join(value) if isinstance(value, list) else value
    if not isinstance(text, str):
        raise TypeError
    hosts, problems = parse_registries(text, "")
    if problems:
        raise _TellingError("; ".join(f"for {problem.found}: {problem.expected}" for problem in problems))
    return hosts


def _number(low: float, high: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1
        if low <= number <= high:
            return number
        raise ValueError

    return parse


def _whole(low: int, high: int) -> Callable[[object], int]:
    within = _number(low, high)

    def parse(value: object) -> int:
        number = within(value)
        if number == int(number):
            return int(number)
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


def _flag(value: object) -> bool:
    known = {True: True, False: False, "true": True, "false": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise ValueError


def _one_of(*words: str) -> _Kind:
    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError

    return _Kind("one of " + ", ".join(words), parse)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _lasting(low: timedelta, high: timedelta, words: str) -> _Kind:
    return _Kind(f"{_DURATION_FORM}, {words}", _duration(low, high))


_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)

_KINDS: Mapping[str, _Kind] = {
    "secretName": _Kind("a Secret's name: lower case letters, digits, '-' and '.', at most 253", _name),
    "registries": _Kind(f"a list of registry hosts: {FORM}", _registries),
    "clusterName": _Kind("a name of letters, digits and ._-, at most 40", _cluster_name),
    "refreshFraction": _Kind("a number from 0.1 to 0.9", _number(0.1, 0.9)),
    "refreshWindow": _lasting(timedelta(), timedelta(hours=2), "at most 2h"),
    "maxAge": _lasting(10 * _SECOND, timedelta(hours=12), "from 10s to 12h"),
    "auditInterval": _lasting(_SECOND, _DAY, "from 1s to 24h"),
    "concurrency": _Kind("a whole number from 2 to 256", _whole(2, 256)),
    "allowNodeRole": _Kind("true or false", _flag),
    "httpPort": _Kind("a port number from 0 to 65535", _whole(0, 65535)),
    "httpHost": _Kind("an address to bind to", _text),
    "logFormat": _one_of("json", "text"),
    "logLevel": _one_of("debug", "info", "warning", "error"),
}
