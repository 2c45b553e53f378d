"""Update what the documents say about failures from the tables in the code: `make failure-docs`."""

import sys
from collections.abc import Iterable
from pathlib import Path

from pullkeeper.domain.errors.failures import EXPLANATIONS, Failure, Reason
from pullkeeper.domain.reporting.event_reasons import event_reason

RUNBOOK = Path(__file__).parents[1] / "docs" / "runbook.md"
BEGIN = "<!-- The table below is written by `make failure-docs` from the reasons in the code. -->"
END = "<!-- End of the table. -->"


def reasons() -> str:
    """Return the runbook's table of reasons."""
    rows = (
        (f"`{reason}`", event_of(reason), explanation.meaning, explanation.fix.replace("(runbook.md#", "(#"))
        for reason, explanation in EXPLANATIONS.items()
    )
    return table(("reason", "Event", "meaning", "what to do"), rows)


def event_of(reason: Reason) -> str:
    """Return the Event that reports a reason."""
    found = event_reason(Failure(reason=reason, message=""))
    return f"`{found}`" if found else "log only"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = [*header]
    return "\n".join([_row(columns), "|---" * len(columns) + "|", *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(each.replace('|', '&#124;') for each in cells)} |"


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
