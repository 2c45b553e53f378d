"""Problems of an input: where, what was found, what is expected."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pullkeeper.domain.errors.text import printable

MAX_QUOTED = 120
"""How many characters of a value are shown, with its quotes."""
MAX_REPORTED = 10
"""Of more problems than this with one input only the number is reported."""
_MAX_PART = 1500
"""Characters of each part of a problem: the longest of our own lists all keys; what comes from outside ends there."""


class _Short(reprlib.Repr):
    """Shows a few elements of a few levels: a file of some lines, each naming the one above twice, is endless."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = MAX_QUOTED

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 -- reprlib's signature
        # Python converts no more than 4,300 digits, which hexadecimal numbers may exceed.
        return repr(x) if x.bit_length() < _MAX_BITS else "a number of thousands of digits"


_MAX_BITS = 10_000
_SHORT = _Short()


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem of an input, stated so that its author can fix it."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        where, found, expected = (printable(each, _MAX_PART) for each in (self.where, self.found, self.expected))
        return f"{where}: found {found}, expected {expected}"


class InvalidInputError(ValueError):
    """An input is invalid; `problems` lists everything that is wrong with it, `summary` what is reported of it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self.summary = summarized(self.problems)
        super().__init__("; ".join(self.summary))


def summarized(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Return a text for each of the first problems, and one for the number of the others."""
    rest = len(problems) - MAX_REPORTED
    texts = tuple(str(problem) for problem in problems[:MAX_REPORTED])
    return (*texts, f"and {rest:,} more") if rest > 0 else texts


def quoted(value: object) -> str:
    """Return a value as its author wrote it, in quotes, without anything invisible, and shortened if necessary."""
    if isinstance(value, str):
        text = f'"{value}"' if len(value) <= MAX_QUOTED else f'"{value[:MAX_QUOTED]}'
    else:
        text = _SHORT.repr(value)
    return printable(text, MAX_QUOTED)
