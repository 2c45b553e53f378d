"""What the viewer sees: a live table on a terminal, plain lines elsewhere."""

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
from tools.demo.timeline import Board, Happening, Row, State, now

_PLAIN_WIDTH = 120
_ROOMY = 118
"""Columns from which on there is room for what happened last to each namespace."""
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
    State.LEAVING: "yellow",
    State.LEFT: "dim",
}
INTRODUCTION = (
    "Pullkeeper keeps an image-pull Secret for Amazon ECR fresh in every namespace that asks for one.",
    "Real: the controller, a process of its own, and all HTTP. Played: the API server (in memory) and AWS (a fake).",
    "Tokens live one minute here, not twelve hours: a day passes in two minutes. They rotate by the default rule.",
)


class Screen(Protocol):
    """Whatever shows the board while the block runs."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def refresh(self, board: Board) -> None:
        """Show how things stand now."""


class _Console(Console):
    """A console that ends the show, in order, when nobody reads any more; rich would end the process on the spot."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on, and ask for the end."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


def open_console() -> Console:
    """Give the console of standard output: without a terminal there is no colour and no control character."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Where the locale knows no ticks and bars, they become question marks; the last line says it in words.
        sys.stdout.reconfigure(errors="replace")
    if sys.stdout.isatty():
        return _Console(highlight=False)
    return _Console(force_terminal=False, no_color=True, width=_PLAIN_WIDTH, highlight=False)


def screen_for(console: Console) -> Screen:
    """Give the screen that fits the console."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveScreen(console) if live else PlainScreen(console)


class LiveScreen:
    """The table and the last happenings, drawn again and again in the same place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def refresh(self, board: Board) -> None:
        """Draw it anew."""
        roomy = self._console.width >= _ROOMY
        parts: list[RenderableType] = [
            _heading(board),
            table(board.rows.values(), roomy=roomy),
            Text(""),
            _log(board.happenings),
        ]
        self._live.update(Group(*parts), refresh=True)


class PlainScreen:
    """A line for each happening, and the table once at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0
        self._board: Board | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._board is not None and kind is None:
            self._console.print(table(self._board.rows.values(), roomy=True))

    def refresh(self, board: Board) -> None:
        """Print what is new."""
        self._board = board
        for happening in board.happenings[self._shown :]:
            self._console.print(_line(happening), soft_wrap=True)
        self._shown = len(board.happenings)


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
        Text(row.member.name, style="bold"),
        row.member.label,
        Text(row.state, style=_STYLES[row.state]),
        "" if row.first_ms is None else f"{row.first_ms} ms",
        _life(row, bar),
        f"{row.rotations}x" if row.rotations else "",
    ]


def summary(promises: Iterable[Promise]) -> Table:
    """Draw a tick or a cross for each promise, and the figure that tells."""
    found = Table(box=None, show_header=False, pad_edge=False)
    for promise in promises:
        kept = promise.outcome.kept
        mark = Text("✓", style="bold green") if kept else Text("✗", style="bold red")
        found.add_row(mark, promise.words, Text(promise.outcome.figure, style="cyan" if kept else "red"))
    return found


def _heading(board: Board) -> Text:
    seconds = (now() - board.opened_at).total_seconds()
    return Text.assemble((f"\n{seconds:4.0f} s  ", "cyan"), (f"{board.scene}\n", "bold"))


def _log(happenings: list[Happening]) -> Table:
    """Draw the last happenings; what is too long for a line goes on under its own beginning."""
    found = Table.grid(padding=(0, 2, 0, 0))
    found.add_column(justify="right", min_width=8)
    found.add_column()
    for happening in happenings[-_LOG_LINES:]:
        at = Text(f"{happening.seconds:.1f} s", style="cyan")
        found.add_row(at, _told(happening) if happening.who else Text(happening.text, style="bold"))
    return found


def _told(happening: Happening) -> Table:
    found = Table.grid()
    found.add_column(width=_WHO)
    found.add_column()
    found.add_row(Text(f"  {happening.who}", style="bold"), Text(happening.text, style=_tone(happening)))
    return found


def _line(happening: Happening) -> Text:
    at = f"{happening.seconds:6.1f} s  "
    if not happening.who:
        return Text(at + happening.text)
    return Text(at + f"  {happening.who}".ljust(_WHO) + happening.text)


def _tone(happening: Happening) -> str:
    return "yellow" if happening.trouble else ""


def _life(row: Row, width: int) -> Text:
    """Draw the life that is left as a bar; it turns yellow where the rotation is due."""
    if row.expires_at is None:
        return Text("")
    left = max((row.expires_at - now()) / LIFE, 0.0)
    full = round(min(left, 1.0) * width)
    style = "green" if left > 0.5 else "yellow" if left > 0.25 else "red"
    return Text.assemble(("━" * full, style), ("╌" * (width - full), "dim"), f"{left * LIFE.seconds:3.0f} s")
