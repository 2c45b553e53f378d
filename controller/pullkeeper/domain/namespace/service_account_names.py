"""ServiceAccounts of a namespace by their names, or all of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from pullkeeper.domain.iam.identity import NAME

ALL = "*"
FORM = f'names of ServiceAccounts, or "{ALL}" alone for all of the namespace'


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccountNames:
    """Which ServiceAccounts of a namespace are meant."""

    names: frozenset[str] = frozenset()
    every: bool = False

    def __contains__(self, name: str) -> bool:
        return self.every or name in self.names

    def __bool__(self) -> bool:
        return self.every or bool(self.names)


NO_SERVICE_ACCOUNTS = ServiceAccountNames()


def parse(parts: Iterable[str]) -> tuple[ServiceAccountNames, list[str]]:
    """Read names, blanks around them and empty ones aside: those that are right, and those that are none."""
    given = {part.strip() for part in parts} - {""}
    if given == {ALL}:
        return ServiceAccountNames(every=True), []
    wrong = sorted(name for name in given if not NAME.fullmatch(name))
    return ServiceAccountNames(names=frozenset(given.difference(wrong))), wrong
