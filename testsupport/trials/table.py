"""The table of faults: how each is put back, and which test has to notice it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("trials.yaml")


class EditError(ValueError):
    """An edit does not fit the code as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A replacement in one file."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the text with the replacement; raise EditError unless `old` is there exactly once."""
        if (count := text.count(self.old)) != 1:
            raise EditError(f"{self.file} has {count} times, not once: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One fault: either edits that put it back and the test that must fail then, or why there are none."""

    row: str
    """Its number in the record of trials."""
    fault: str
    edits: tuple[Edit, ...] = ()
    test: str = ""
    """Node id of pytest."""
    reason: str = ""


def load(path: Path = TABLE) -> Sequence[Trial]:
    """Read the table; raise TypeError for a key that is not known or missing."""
    rows = yaml.safe_load(path.read_text())
    return [Trial(**{**row, "edits": tuple(Edit(**each) for each in row.get("edits", ()))}) for row in rows]
