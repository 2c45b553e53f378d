"""ServiceAccounts of a namespace, by name or all of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from pullkeeper.domain.iam.identity import NAME

ALL = "*"
FORM = f'names of ServiceAccounts, or "{ALL}" alone for all of the namespace'


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


def parse(parts: Iterable[str]) -> tuple[ServiceAccountNames, list[str]]:
    """Parse names, ignoring blanks and empty ones; returns the valid names and the invalid ones."""
    given = {part.strip() for part in parts} - {""}
    if given == {ALL}:
        return ServiceAccountNames(every=True), []
    invalid = sorted(name for name in given if not NAME.fullmatch(name))
    return ServiceAccountNames(names=frozenset(given.difference(invalid))), invalid
