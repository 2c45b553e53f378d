"""ServiceAccounts of a namespace, by name or all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pullkeeper.domain.errors.validation import quoted
from pullkeeper.domain.iam.identity import NAME
from pullkeeper.domain.kube.annotation_lists import MAX_PARTS, trimmed

ALL = "*"
MAX_NAMES = 200
FORM = f'at most {MAX_NAMES} names of ServiceAccounts, or "{ALL}" alone for all of the namespace'


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccountNames:
    """A set of ServiceAccounts of a namespace."""

    names: frozenset[str] = frozenset()
    every: bool = False

    def __contains__(self, name: str) -> bool:
        return self.every or name in self.names

    def __bool__(self) -> bool:
        return self.every or bool(self.names)


NO_SERVICE_ACCOUNTS = ServiceAccountNames()


def parse(given: Sequence[str]) -> tuple[ServiceAccountNames, list[str]]:
    """Parse names, ignoring blanks and empty ones; returns the valid names, and what was found instead of others.

    Too many names are one such finding, and none of them is parsed.
    """
    if len(given) > MAX_PARTS:
        return NO_SERVICE_ACCOUNTS, [f"{len(given)} parts"]
    names = trimmed(given)
    if set(names) == {ALL}:
        return ServiceAccountNames(every=True), []
    if len(names) > MAX_NAMES:
        return NO_SERVICE_ACCOUNTS, [f"{len(names)} names"]
    invalid = [quoted(name) for name in names if not NAME.fullmatch(name)]
    return ServiceAccountNames(names=frozenset(name for name in names if NAME.fullmatch(name))), invalid
