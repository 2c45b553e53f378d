"""ServiceAccounts of a namespace, by name or all of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from pullkeeper.domain.iam.identity import NAME

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


def parse(parts: Iterable[str]) -> tuple[ServiceAccountNames, list[str]]:
    """Parse names, ignoring blanks and empty ones; returns the valid names and the invalid ones.

    Of more names than there may be all that follow the last one allowed, in alphabetical order, are invalid.
    """
    given = {part.strip() for part in parts} - {""}
    if given == {ALL}:
        return ServiceAccountNames(every=True), []
    allowed = sorted(given)[:MAX_NAMES]
    names = frozenset(name for name in allowed if NAME.fullmatch(name))
    return ServiceAccountNames(names=names), sorted(given - names)
