"""`python -m tools.demo [--keep]`: shows the main job live, and ends with 0 only if all was as promised."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tools.demo.environment import Stage, open_stage
from tools.demo.keep_running import stay_up
from tools.demo.promises import Promise
from tools.demo.runner import perform
from tools.demo.screen import INTRODUCTION, open_console, screen_for, summary

_INTERRUPTED = 130
_LOG_LINES = 8


def main() -> int:
    """Run the demo; gives the exit status."""
    options = _parser().parse_args()
    if not __debug__:
        # What is checked is checked by `assert`: without it, every promise would look kept.
        print("the demo judges by assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    console = open_console()
    try:
        return asyncio.run(_show(console, keep=options.keep, sabotage=options.sabotage))
    except AssertionError as error:
        console.print(f"\nIt did not get going: {error}", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nInterrupted; everything that was started has been ended.")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Shows Pullkeeper's main job live.")
    parser.add_argument("--keep", action="store_true", help="leave everything up afterwards, to look around")
    parser.add_argument(
        "--sabotage", action="store_true", help="let AWS throttle every call after the start, to see the demo fail"
    )
    return parser


async def _show(console: Console, *, keep: bool, sabotage: bool) -> int:
    _end_in_order()
    for line in INTRODUCTION:
        console.print(line)
    with tempfile.TemporaryDirectory(prefix="pullkeeper-demo-") as name:
        folder = Path(name)
        async with open_stage(folder) as stage:
            promises = await perform(stage, screen_for(console), sabotage=sabotage)
            status = _conclude(console, promises)
            if status:
                _show_log(console, stage)
            if keep:
                await stay_up(stage, folder, console)
    return status


def _end_in_order() -> None:
    """Let SIGTERM and a closed terminal end it as Ctrl-C does: the controller's process must not stay behind."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _conclude(console: Console, promises: list[Promise]) -> int:
    kept = sum(promise.outcome.kept for promise in promises)
    console.print()
    console.print(summary(promises))
    console.print(f"\n[bold]{kept} of {len(promises)} promises kept.[/bold]")
    return 0 if kept == len(promises) else 1


def _show_log(console: Console, stage: Stage) -> None:
    """Print the end of the controller's log: its folder goes with the demo."""
    console.print("\nThe last lines of the controller's log:")
    for line in stage.installation.processes[-1].text().splitlines()[-_LOG_LINES:]:
        console.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
