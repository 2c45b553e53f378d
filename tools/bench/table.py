"""The printed figures, and the few that decide the exit status."""

from collections.abc import Sequence
from statistics import quantiles


class Table:
    """Prints each figure at once, and remembers the promises that are not kept."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.rows: list[dict[str, str]] = []
        self.growth: list[dict[str, float]] = []
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

    def _judged(self, what: str, figure: str, *, kept: bool, promise: str) -> None:
        self.row(what, figure, f"{'ok' if kept else 'FAILED'}: {promise}")
        if not kept:
            self.failed.append(what)


def ms(seconds: float) -> str:
    """Format seconds as milliseconds."""
    return f"{seconds * 1000:,.0f} ms"


def percentile(waits: Sequence[float], share: int) -> float:
    """Return the wait that so many of a hundred do not exceed."""
    return quantiles(waits, n=100, method="inclusive")[share - 1]
