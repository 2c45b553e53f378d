"""What a Namespace asks for by its annotations, or everything that is wrong with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.core import registry_host
from controller.core.identity import CONTROLLER, Identity
from controller.core.namespace import PREFIX
from controller.core.problem import InvalidInputError, Problem, quoted
from controller.core.registry_host import RegistryHost

ENABLED = "enabled"
REGISTRIES = "registries"
REFRESH = "refresh"
KNOWN = (ENABLED, REGISTRIES, REFRESH)

MOST_REGISTRIES = 200
"""An entry takes about 3 KiB and a Secret holds 1 MiB."""

_SEPARATORS = re.compile(r"[,\n]")


@dataclass(frozen=True, kw_only=True, slots=True)
class DesiredState:
    """What the pull Secret of one namespace should be."""

    registries: tuple[RegistryHost, ...]
    identity: Identity = CONTROLLER
    refresh: str | None = None
    """The value of the `refresh` annotation: each new one asks for a fresh token."""


def desired_state(annotations: Mapping[str, str], defaults: Sequence[RegistryHost]) -> DesiredState | None:
    """Read our annotations (keys without prefix); None is opted out.

    `enabled: "false"` is obeyed whatever else is written. Raises InvalidInputError with every problem.
    """
    if annotations.get(ENABLED) == "false":
        return None
    problems = [*_unknown_keys(annotations), *_wrong_enabled(annotations)]
    if ENABLED not in annotations and not problems:
        return None
    registries, wrong = _registries(annotations, defaults)
    if problems or wrong:
        raise InvalidInputError([*problems, *wrong])
    return DesiredState(registries=registries, refresh=annotations.get(REFRESH))


def parse_registries(value: str, where: str) -> tuple[tuple[RegistryHost, ...], list[Problem]]:
    """Read a comma- or newline-separated list of registry hosts: those that are right, and the problems."""
    parts = [part.strip() for part in _SEPARATORS.split(value)]
    hosts: dict[str, RegistryHost] = {}
    problems = []
    for part in filter(None, parts):
        try:
            hosts[part] = registry_host.parse(part)
        except ValueError as error:
            problems.append(Problem(where=where, found=quoted(part), expected=str(error)))
    if len(hosts) > MOST_REGISTRIES:
        expected = f"at most {MOST_REGISTRIES}, which is what fits into one Secret"
        problems.append(Problem(where=where, found=f"{len(hosts)} hosts", expected=expected))
    return tuple(sorted(hosts.values())), problems


def _unknown_keys(annotations: Mapping[str, str]) -> list[Problem]:
    known = ", ".join(PREFIX + key for key in KNOWN)
    return [
        Problem(where=f"{PREFIX}{key}", found="a key that this version does not know", expected=f"one of {known}")
        for key in sorted(annotations)
        if key not in KNOWN
    ]


def _wrong_enabled(annotations: Mapping[str, str]) -> list[Problem]:
    value = annotations.get(ENABLED, "true")
    if value == "true":
        return []
    return [Problem(where=PREFIX + ENABLED, found=quoted(value), expected='"true" or "false"')]


def _registries(
    annotations: Mapping[str, str], defaults: Sequence[RegistryHost]
) -> tuple[tuple[RegistryHost, ...], list[Problem]]:
    where = PREFIX + REGISTRIES
    value = annotations.get(REGISTRIES)
    hosts, problems = (tuple(defaults), []) if value is None else parse_registries(value, where)
    if not hosts and not problems:
        found = "no registry host" if value is not None else "no annotation, and the installation has no default"
        problems = [Problem(where=where, found=found, expected=f"at least one host: {registry_host.FORM}")]
    return hosts, problems
