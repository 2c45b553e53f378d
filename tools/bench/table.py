"""The printed figures, and the few that decide the exit status."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any


class Table:
    """Prints each figure at once, and remembers the promises that are not kept."""

    def __init__(self, path: Path | None = None) -> None:
        """Print, and save into this file what there is."""
        self._path = path
        self.failed: list[str] = []
        self.rows: list[dict[str, str]] = []
        self.growth: list[Mapping[str, Any]] = []
        """The figures of each size, for the curves."""
        self._heading = ""

    def heading(self, text: str) -> None:
        """Print the heading of a part."""
        self._heading = text
        print(f"\n{text}", flush=True)

    def row(self, what: str, figure: str, note: str = "") -> None:
        """Print a figure that decides nothing."""
        self.rows.append({"part": self._heading, "what": what, "figure": figure, "note": note})
        print(f"  {what:<52} {figure:>12}  {note}".rstrip(), flush=True)

    def exactly(self, what: str, found: float, promised: float) -> None:
        """Print a count that must be exact."""
        self._judged(what, f"{found:,g}", kept=found == promised, promise=f"{promised:,g}")

    def at_most(self, what: str, found: float, promised: float, note: str = "") -> None:
        """Print a ratio that must not be larger."""
        self._judged(what, f"{found:.3f}", kept=found <= promised, promise=f"at most {promised:g}{note}")

    def save(self) -> None:
        """Write all figures so far into the file, if there is one."""
        if self._path:
            figures = {"about": _about(), "rows": self.rows, "growth": self.growth, "failed": self.failed}
            self._path.write_text(json.dumps(figures, indent=2) + "\n")

    def _judged(self, what: str, figure: str, *, kept: bool, promise: str) -> None:
        self.row(what, figure, f"{'ok' if kept else 'FAILED'}: {promise}")
        if not kept:
            self.failed.append(what)


def _about() -> Mapping[str, Any]:
    today = datetime.now(UTC).date().isoformat()
    return {"date": today, "processors": os.cpu_count(), "python": platform.python_version()}


def ms(seconds: float) -> str:
    """Format seconds as milliseconds."""
    return f"{seconds * 1000:,.0f} ms"


def percentile(waits: Sequence[float], share: int) -> float:
    """Return the wait that so many of a hundred do not exceed."""
    return quantiles(waits, n=100, method="inclusive")[share - 1]
