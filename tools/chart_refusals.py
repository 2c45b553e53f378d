"""Write docs/refused-values.md, the words with which the chart refuses values: `make chart-docs`.

They are those of tests/chart/wrong_values.yaml, which the tests hold both versions of Helm to.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from testsupport.helm import CHART, REPOSITORY

TABLE = REPOSITORY / "tests" / "chart" / "wrong_values.yaml"
PAGE = REPOSITORY / "docs" / "refused-values.md"
_LONG, _SHORT = r"(.)\1{60,}", r"\1\1\1…"
"""Names that are too long are shown shorter than they are."""
_HEAD = """\
# Refused values

What `helm install`, `upgrade`, `template` and `lint` answer to values that would fail later, or be of
no effect. All problems of a release are reported at once, each in a line that names the value, what
was found, and what is expected instead. This page is written by `make chart-docs` from the table that
the tests hold both versions of Helm to.
"""
_TYPES = """\
## Keys, types and bounds

These come from the schema of the values, in the words of Helm 3 and Helm 4.
"""
_HABITS = """\
## Keys of other charts

A key that people bring from other charts is answered with the one of this chart.
"""


def page() -> str:
    """Return the page."""
    table: Mapping[str, Any] = yaml.safe_load(TABLE.read_text())
    groups: dict[str, list[str]] = {}
    for case in table["checks"]:
        groups.setdefault(re.split(r"[.:\[]", case["line"])[0], []).append(_row(case["values"], case["line"]))
    parts = [_HEAD]
    parts += [_section(f"## `{key}`\n", "values | answer", groups[key]) for key in sorted(groups)]
    rows = [_row(case["values"], case["helm3"], case["helm4"]) for case in table["schema"]]
    parts.append(_section(_TYPES, "values | Helm 3 | Helm 4", rows))
    parts.append(_section(_HABITS, "key | answer", list(_habits())))
    return "\n".join(parts)


def _habits() -> Iterator[str]:
    habits: Mapping[str, str] = yaml.safe_load((CHART / "habits.yaml").read_text())
    return (f"| {_code(key)} | {_code(instead)} |" for key, instead in sorted(habits.items()))


def _section(head: str, columns: str, rows: list[str]) -> str:
    line = "|---" * (columns.count("|") + 1)
    return "\n".join([head, f"| {columns} |", f"{line}|", *rows, ""])


def _row(values: Any, *answers: str) -> str:
    texts = (json.dumps(values, ensure_ascii=False), *answers)
    return f"| {' | '.join(_code(re.sub(_LONG, _SHORT, text)) for text in texts)} |"


def _code(text: str) -> str:
    """Return a text as code in a table, where a vertical bar must be escaped even there."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|")


def main() -> int:
    """Update the page."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
