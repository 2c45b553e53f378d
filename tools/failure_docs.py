"""Update what the documents say about failures from the tables in the code: `make failure-docs`."""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from pullkeeper.domain.errors.failures import EXPLANATIONS, Reason
from pullkeeper.domain.views import explanation

DOCS = Path(__file__).parents[1] / "docs"
RUNBOOK = DOCS / "runbook.md"
FAILURES = DOCS / "failures.md"
BEGIN = "<!-- The table below is written by `make failure-docs` from the reasons in the code. -->"
END = "<!-- End of the table. -->"
_WIDTH = 100
_HEAD = """# Failures

<!-- This page is written by `make failure-docs` from the tables in the code. -->

Each failure has a reason, which logs, Events and metrics name. This page lists what is behind each:
what was raised or answered, what that means, the fix, and who has to act. `pullkeeper check
--explain REASON` prints the same, `--explain all` all of it. In a message, *SERVICE at HOST* is who
was really asked.
"""


def reasons() -> str:
    """Return the runbook's table of reasons."""
    rows = (
        (f"`{reason}`", event_of(reason), found.meaning, found.fix.replace("(runbook.md#", "(#"))
        for reason, found in EXPLANATIONS.items()
    )
    return table(("reason", "Event", "meaning", "what to do"), rows)


def event_of(reason: Reason) -> str:
    """Return the Event that reports a reason."""
    found = explanation.event(reason)
    return f"`{found}`" if found else "log only"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = [*header]
    return "\n".join([_row(columns), "|---" * len(columns) + "|", *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_escaped(each) for each in cells)} |"


def _escaped(text: str) -> str:
    text = text.replace("|", "&#124;")
    return text if "`" in text else text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def page() -> str:
    """Return docs/failures.md."""
    return "\n".join([_HEAD, *(line for reason in EXPLANATIONS for line in _section(reason))])


def _section(reason: Reason) -> Iterator[str]:
    found = EXPLANATIONS[reason]
    yield f"## {reason}\n"
    yield _wrapped(f"{found.meaning[0].upper()}{found.meaning[1:]}.\n")
    yield _wrapped(f"- Fix: {found.fix}", "  ")
    yield f"- Who has to act: {found.actor}"
    yield f"- Event: {event_of(reason)}"
    yield f"- Retries: {explanation.retries(reason)}\n"
    causes = explanation.causes_of(reason)
    if causes:
        rows = (
            (
                ", ".join(f"`{name}`" for name in explanation.raised_by(cause)),
                explanation.what(cause),
                explanation.fix(cause),
                cause.who,
            )
            for cause in causes
        )
        yield table(("raised or answered", "meaning", "fix", "who"), rows) + "\n"


def _wrapped(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + ("\n" if text.endswith("\n") else "")


def updated(runbook: str) -> str:
    """Return the runbook with the current table; raises ValueError if its markers are missing."""
    before, _, rest = runbook.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{RUNBOOK} does not contain the lines {BEGIN} and {END}: put them around the table")
    return f"{before}{BEGIN}\n\n{reasons()}\n\n{END}{after}"


def main() -> int:
    """Update the documents."""
    RUNBOOK.write_text(updated(RUNBOOK.read_text()))
    FAILURES.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
