"""Show the main job live: `python -m tools.demo [--keep]`; the exit status is 0 only if every promise is kept."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from testsupport.command_line import pullkeeper
from tools.demo.environment import Environment, open_environment
from tools.demo.keep_running import stay_up
from tools.demo.promises import Promise
from tools.demo.runner import run_scenes
from tools.demo.screen import INTRODUCTION, open_console, screen_for, summary

_INTERRUPTED = 130
_LOG_LINES = 8


def main() -> int:
    """Run the demo and return the exit status."""
    options = _parser().parse_args()
    if not __debug__:
        # Without assertions every promise would look kept.
        print("the demo relies on assertions: run it without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return 2
    console = open_console()
    try:
        return asyncio.run(_show(console, keep=options.keep, sabotage=options.sabotage))
    except AssertionError as error:
        console.print(f"\nThe demo could not start: {error}", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nInterrupted; every process of the demo has been stopped.")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Show Pullkeeper's main job live.")
    parser.add_argument("--keep", action="store_true", help="keep everything running afterwards, to look around")
    parser.add_argument(
        "--sabotage",
        action="store_true",
        help="make AWS throttle every request for a token after the start, to see the demo fail",
    )
    return parser


async def _show(console: Console, *, keep: bool, sabotage: bool) -> int:
    _end_in_order()
    for line in INTRODUCTION:
        console.print(line)
    with tempfile.TemporaryDirectory(prefix="pullkeeper-demo-") as name:
        folder = Path(name)
        async with open_environment(folder) as environment:
            promises = await run_scenes(environment, screen_for(console), sabotage=sabotage)
            await _show_status(console, environment)
            status = _conclude(console, promises)
            if status:
                _show_log(console, environment)
            if keep:
                await stay_up(environment, folder, console)
    return status


def _end_in_order() -> None:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that the controller's process never stays behind."""
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


async def _show_status(console: Console, environment: Environment) -> None:
    """Print what a person on call would see; problems make the command's exit status 1."""
    config = str(environment.installation.processes[-1].config)
    result = await pullkeeper(environment.installation, "status", "--config", config)
    assert result.status == 1, f"pullkeeper status: {result.err}"
    console.print(f"\n[bold]$ pullkeeper status[/bold]\n{escape(result.out.rstrip())}", soft_wrap=True)


def _show_log(console: Console, environment: Environment) -> None:
    """Print the end of the controller's log: its folder goes with the demo."""
    console.print("\nThe last lines of the controller's log:")
    for line in environment.installation.processes[-1].text().splitlines()[-_LOG_LINES:]:
        console.print(line, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
