"""The figures, as they are printed, and the few that decide."""


class Table:
    """Prints each figure as soon as it is there, and remembers those that are not as promised."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def heading(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}", flush=True)

    def row(self, what: str, figure: str, note: str = "") -> None:
        """Show a figure that only informs."""
        print(f"  {what:<52} {figure:>12}  {note}".rstrip(), flush=True)

    def exactly(self, what: str, found: float, promised: float) -> None:
        """Show a count that must be just so."""
        self._judged(what, f"{found:,g}", kept=found == promised, promise=f"{promised:,g}")

    def at_most(self, what: str, found: float, promised: float, note: str = "") -> None:
        """Show a ratio that must not be larger."""
        self._judged(what, f"{found:.3f}", kept=found <= promised, promise=f"at most {promised:g}{note}")

    def _judged(self, what: str, figure: str, *, kept: bool, promise: str) -> None:
        self.row(what, figure, f"{'ok' if kept else 'FAILED'}: {promise}")
        if not kept:
            self.failed.append(what)


def ms(seconds: float) -> str:
    """Write a length of time in milliseconds."""
    return f"{seconds * 1000:,.0f} ms"
