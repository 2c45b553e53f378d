"""Problems of an input: where, what was found, what is expected."""

from collections.abc import Iterable
from dataclasses import dataclass

_MAX_LENGTH = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem of an input, stated so that its author can fix it."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}, expected {self.expected}"


class InvalidInputError(ValueError):
    """An input is invalid; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def quoted(value: object) -> str:
    """Return a value as its author wrote it, in quotes and shortened if necessary."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"
