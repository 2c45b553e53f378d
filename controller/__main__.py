"""The command line."""

import argparse
import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

from controller.commands import run
from controller.commands.config import config_from
from controller.core.problem import InvalidInputError
from controller.core.reasons import FailureError

_CANNOT_START = 1
_WRONG_SETTINGS = 2


def main() -> int:
    """Run the command that is asked for; the exit status is 0 when it did what it should."""
    options = _parser().parse_args()
    try:
        config = config_from(options.config)
    except InvalidInputError as error:
        _complain("the settings are wrong:", *(f"  {problem}" for problem in error.problems))
        return _WRONG_SETTINGS
    status = 0
    try:
        asyncio.run(run.run(config, kubeconfig=options.kubeconfig))
    except* (FailureError, OSError) as group:
        _complain(*(str(error) for error in _leaves(group)))
        status = _CANNOT_START
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pullkeeper", description="Keeps pull Secrets for Amazon ECR fresh.")
    parser.add_argument("--version", action="version", version=f"pullkeeper {version('pullkeeper')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = commands.add_parser("run", help="run the controller", description="Run the controller.")
    command.add_argument("--config", type=Path, metavar="FILE", help="settings file (YAML)")
    command.add_argument("--kubeconfig", metavar="FILE", help="log in with this kubeconfig instead of as the pod")
    return parser


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _complain(*lines: str) -> None:
    print("pullkeeper:", *lines, sep="\n" if len(lines) > 1 else " ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
