"""Update the table of values in the chart's README from the comments in values.yaml: `make chart-docs`."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from testsupport.helm import CHART

README = CHART / "README.md"
BEGIN = "<!-- The table below is written by `make chart-docs` from values.yaml. -->"
END = "<!-- End of the table. -->"

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]+):")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A documented value."""

    path: str
    default: str
    text: str

    def __str__(self) -> str:
        default = f"`{self.default}`" if self.default else ""
        return f"| `{self.path}` | {default} | {self.text} |".replace("<", "&lt;")


def table(text: str) -> str:
    """Return the Markdown table for a values file. A map whose keys are documented has no default of its own."""
    found = list(rows(text))
    parents = {row.path for row in found if any(other.path.startswith(f"{row.path}.") for other in found)}
    lines = [str(replace(row, default="") if row.path in parents else row) for row in found]
    return "\n".join(["| value | default | description |", "|---|---|---|", *lines])


def rows(text: str) -> Iterator[Row]:
    """Yield the documented values: a comment documents the key below it, with everything inside it."""
    values = yaml.safe_load(text)
    comment: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("# "):
            comment.append(line.strip().removeprefix("# "))
        elif match := _KEY.match(line):
            path = [*path[: len(match["indent"]) // 2], match["key"]]
            if comment:
                yield Row(path=".".join(path), default=_default(values, path), text=" ".join(comment))
            comment = []
        else:
            comment = []


def _default(values: Any, path: list[str]) -> str:
    for key in path:
        values = values[key]
    return json.dumps(values, ensure_ascii=False)


def updated(readme: str, values: str) -> str:
    """Return the README with the table for these values; raises ValueError if its markers are missing."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{README} does not contain the lines {BEGIN} and {END}: put them around the table")
    return f"{before}{BEGIN}\n\n{table(values)}\n\n{END}{after}"


def main(readme: Path = README) -> int:
    """Update the README."""
    readme.write_text(updated(readme.read_text(), (CHART / "values.yaml").read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
