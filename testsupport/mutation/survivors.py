"""The reviewed list of mutants that no test notices, each with the reason why none has to."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testsupport.mutation.project import Mutant, alike
from testsupport.mutation.runner import NOTICED

PATH = Path(__file__).with_name("survivors.yaml")
TEXTS = "texts"
"""In the place of changes: all those of words in strings."""
_TOKENS_BESIDE, _LONGEST = 8, 30
_TOKEN = re.compile(r"\w+|\s+|[-+*/<>=!]+|[^\w\s]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Mutants of one function that survive for one reason."""

    function: str
    kind: str
    changes: tuple[str, ...]
    texts: bool

    def explains(self, mutant: Mutant) -> bool:
        """Whether this mutant is one of them."""
        if mutant.function != self.function:
            return False
        return change_of(mutant) in self.changes or (self.texts and is_text(mutant))

    def without_mutant(self, mutants: Sequence[Mutant]) -> Iterator[str]:
        """Say what of it is no mutant of its function, which has these."""
        if self.texts and not any(map(is_text, mutants)):
            yield f"{self.function}: no mutant changes a text"
        for change in set(self.changes) - set(map(change_of, mutants)):
            yield f"{self.function}: there is no mutant {change!r}"


class Survivors:
    """The entries, and what is wrong with them."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._kinds: dict[str, str] = document["kinds"]
        self._entries = list(_entries(document["survivors"]))
        self.functions = set(document["survivors"])

    def problems(self, mutants: Sequence[Mutant], outcomes: Mapping[str, str], left_out: Set[str]) -> Iterator[str]:
        """Say what in the list is not so of these mutants, whose outcomes by key are those that are known.

        The mutants of some modules are left out.
        """
        yield from self._without_kind()
        yield from self._without_mutant(mutants, left_out)
        alike = defaultdict(list)
        for mutant in mutants:
            alike[mutant.function, change_of(mutant)].append(mutant)
        for (function, change), group in alike.items():
            found = {outcomes.get(mutant.key, "") for mutant in group}
            if unnoticed := found - NOTICED - {""}:
                yield from self._unexplained(group[0], change, min(unnoticed))
            elif "" not in found and any(not entry.texts for entry in self._explaining(group[0])):
                yield f"{function}: {change!r} is explained, but is {min(found)}"

    def _unexplained(self, mutant: Mutant, change: str, outcome: str) -> Iterator[str]:
        if not self._explaining(mutant):
            yield f"{mutant.function}: {change!r} is {outcome} and not explained"

    def _explaining(self, mutant: Mutant) -> list[Entry]:
        return [entry for entry in self._entries if entry.explains(mutant)]

    def _without_kind(self) -> Iterator[str]:
        for entry in self._entries:
            if entry.kind not in self._kinds:
                yield f"{entry.function}: there is no kind {entry.kind!r}"

    def _without_mutant(self, mutants: Iterable[Mutant], left_out: Set[str]) -> Iterator[str]:
        there = defaultdict(list)
        for mutant in mutants:
            there[mutant.function].append(mutant)
        for entry in self._entries:
            if not any(entry.function.startswith(f"{module}.") for module in left_out):
                yield from entry.without_mutant(there[entry.function])


def load() -> Survivors:
    """Read the list."""
    return Survivors(yaml.safe_load(PATH.read_text()))


def _entries(functions: dict[str, dict[str, list[str] | str]]) -> Iterator[Entry]:
    for function, kinds in functions.items():
        for kind, changes in kinds.items():
            texts = changes == TEXTS
            yield Entry(function=function, kind=kind, changes=() if texts else tuple(changes), texts=texts)


def is_text(mutant: Mutant) -> bool:
    """Whether all that it changes are the words or the case of a string."""
    return mutant.added.replace("XX", "").casefold() == mutant.removed.replace("XX", "").casefold()


def change_of(mutant: Mutant) -> str:
    """Return what is removed and added with a few words beside it: `len(name) {<= -> <} _MAX and`."""
    before, after = (_TOKEN.findall(" ".join(text.split())) for text in (mutant.removed, mutant.added))
    start, end = alike(before, after)
    removed, added = before[start : len(before) - end], after[start : len(after) - end]
    beside = (
        "".join(before[max(0, start - _TOKENS_BESIDE) : start]),
        "".join(before[len(before) - end :][:_TOKENS_BESIDE]),
    )
    return f"{beside[0]}{{{_short(removed)} -> {_short(added)}}}{beside[1]}".strip()


def _short(tokens: Sequence[str]) -> str:
    text = "".join(tokens)
    return text if len(text) <= 2 * _LONGEST else f"{text[:_LONGEST]}…{text[-_LONGEST:]}"
