"""The display: a live table on a terminal, plain lines elsewhere."""

import os
import signal
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from types import TracebackType
from typing import Protocol, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tools.demo.environment import LIFE
from tools.demo.promises import Promise
from tools.demo.timeline import Entry, Row, State, Timeline, now

_PLAIN_WIDTH = 120
_ROOMY = 118
"""The width from which there is room for a column with the last entry of each namespace."""
_LOG_LINES = 8
_WHO = 14
_BAR = 12
_SHORT_BAR = 8
_STYLES = {
    State.OUTSIDE: "dim",
    State.WAITING: "yellow",
    State.READY: "green",
    State.MISSING: "bold red",
    State.MISCONFIGURED: "yellow",
    State.OPTING_OUT: "yellow",
    State.OPTED_OUT: "dim",
}
INTRODUCTION = (
    "Pullkeeper keeps an image-pull Secret for Amazon ECR fresh in every namespace that asks for one.",
    "Real: the controller, in a process of its own, and all HTTP. Faked: the API server (in memory) and AWS.",
    "Tokens live one minute here, not twelve hours, so a day passes in two minutes. Settings are the defaults.",
)


class Screen(Protocol):
    """Whatever shows the timeline while the block runs."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def refresh(self, timeline: Timeline) -> None:
        """Show the present state."""


class _Console(Console):
    """A console that stops the demo in order when its reader is gone; rich would end the process on the spot."""

    def on_broken_pipe(self) -> None:
        """Discard further output and stop the demo."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


def open_console() -> Console:
    """Return the console for standard output: without a terminal it prints no colour and no control character."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Ticks and bars that the locale cannot show become question marks; the last line gives the result in words.
        sys.stdout.reconfigure(errors="replace")
    if sys.stdout.isatty():
        return _Console(highlight=False)
    return _Console(force_terminal=False, no_color=True, width=_PLAIN_WIDTH, highlight=False)


def screen_for(console: Console) -> Screen:
    """Return the screen that suits the console."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveScreen(console) if live else PlainScreen(console)


class LiveScreen:
    """The table and the last entries, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def refresh(self, timeline: Timeline) -> None:
        """Redraw it."""
        roomy = self._console.width >= _ROOMY
        parts: list[RenderableType] = [
            _heading(timeline),
            table(timeline.rows.values(), roomy=roomy),
            Text(""),
            _log(timeline.entries),
        ]
        self._live.update(Group(*parts), refresh=True)


class PlainScreen:
    """A line for each entry, and the table once at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0
        self._timeline: Timeline | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._timeline is not None and kind is None:
            self._console.print(table(self._timeline.rows.values(), roomy=True))

    def refresh(self, timeline: Timeline) -> None:
        """Print new entries."""
        self._timeline = timeline
        for entry in timeline.entries[self._shown :]:
            self._console.print(_line(entry), soft_wrap=True)
        self._shown = len(timeline.entries)


def table(rows: Iterable[Row], *, roomy: bool) -> Table:
    """Draw a row for each namespace."""
    found = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    bar = _BAR if roomy else _SHORT_BAR
    widths = {"namespace": 9, "registries": 23 if roomy else 17, "state": 13, "Secret in": 9, "token's life": bar + 5}
    for heading, width in widths.items():
        right = heading == "Secret in"
        found.add_column(heading, width=width, no_wrap=True, justify="right" if right else "left")
    found.add_column("rotated", no_wrap=True, justify="right")
    if roomy:
        found.add_column("last", width=28, no_wrap=True)
    for row in rows:
        found.add_row(*_cells(row, bar), *([row.last] if roomy else []))
    return found


def _cells(row: Row, bar: int) -> list[RenderableType]:
    return [
        Text(row.namespace.name, style="bold"),
        row.namespace.label,
        Text(row.state, style=_STYLES[row.state]),
        "" if row.first_ms is None else f"{row.first_ms} ms",
        _life(row, bar),
        f"{row.rotations}x" if row.rotations else "",
    ]


def summary(promises: Iterable[Promise]) -> Table:
    """Draw a tick or a cross for each promise, with its figures."""
    found = Table(box=None, show_header=False, pad_edge=False)
    for promise in promises:
        kept = promise.outcome.kept
        mark = Text("✓", style="bold green") if kept else Text("✗", style="bold red")
        found.add_row(mark, promise.words, Text(promise.outcome.figure, style="cyan" if kept else "red"))
    return found


def _heading(timeline: Timeline) -> Text:
    seconds = (now() - timeline.opened_at).total_seconds()
    return Text.assemble((f"\n{seconds:4.0f} s  ", "cyan"), (f"{timeline.scene}\n", "bold"))


def _log(entries: list[Entry]) -> Table:
    """Draw the last entries; long text wraps below its own beginning."""
    found = Table.grid(padding=(0, 2, 0, 0))
    found.add_column(justify="right", min_width=8)
    found.add_column()
    for entry in entries[-_LOG_LINES:]:
        at = Text(f"{entry.seconds:.1f} s", style="cyan")
        found.add_row(at, _entry_text(entry) if entry.who else Text(entry.text, style="bold"))
    return found


def _entry_text(entry: Entry) -> Table:
    found = Table.grid()
    found.add_column(width=_WHO)
    found.add_column()
    found.add_row(Text(f"  {entry.who}", style="bold"), Text(entry.text, style=_tone(entry)))
    return found


def _line(entry: Entry) -> Text:
    at = f"{entry.seconds:6.1f} s  "
    if not entry.who:
        return Text(at + entry.text)
    return Text(at + f"  {entry.who}".ljust(_WHO) + entry.text)


def _tone(entry: Entry) -> str:
    return "yellow" if entry.is_warning else ""


def _life(row: Row, width: int) -> Text:
    """Draw the remaining life as a bar; it turns yellow when the rotation is due."""
    if row.expires_at is None:
        return Text("")
    left = max((row.expires_at - now()) / LIFE, 0.0)
    full = round(min(left, 1.0) * width)
    style = "green" if left > 0.5 else "yellow" if left > 0.25 else "red"
    return Text.assemble(("━" * full, style), ("╌" * (width - full), "dim"), f"{left * LIFE.seconds:3.0f} s")
