"""One thing that is wrong with an input: where it is, what was found, what should be there."""

from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem of an input, said so that its author can mend it."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}, expected {self.expected}"


class InvalidInputError(ValueError):
    """An input with every problem that it has, all of them together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def quoted(value: object) -> str:
    """Show a value as its author wrote it, cut to a readable length."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
