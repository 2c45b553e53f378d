"""The command line."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError

_CANNOT = 1
_WRONG_INPUT = 2

COMMANDS = {
    "run": "run the controller",
    "check": "tell whether everything is there that the controller needs",
    "status": "tell how every namespace that asks for a pull Secret stands",
    "render": "tell what the controller would do for a Namespace, and why, without touching anything",
    "refresh": "have a namespace's pull Secret renewed now, and wait until it is",
    "cleanup": "delete the pull Secrets that the controller has made",
}
"""A module of `pullkeeper.cli` each, and what it does."""


class _Command(Protocol):
    """What a command's module holds."""

    @staticmethod
    def add_parser(parser: argparse.ArgumentParser) -> None:
        """Say what the command takes."""

    @staticmethod
    def main(options: argparse.Namespace) -> int:
        """Do it; raises InvalidInputError where it is not told well, FailureError or OSError where it cannot."""


def main() -> int:
    """Run the command that is asked for; the exit status is 0 when it did what it should."""
    return _run(sys.argv[1:])


def _run(arguments: Sequence[str]) -> int:
    options = _parser(arguments).parse_args(arguments)
    try:
        return _done(options)
    except InvalidInputError as error:
        _complain("what it was given is wrong:", *(f"  {problem}" for problem in error.problems))
        return _WRONG_INPUT


def _done(options: argparse.Namespace) -> int:
    status = _CANNOT
    try:
        status = options.main(options)
    except* (FailureError, OSError) as group:
        _complain(*(str(error) for error in _leaves(group)))
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pullkeeper", description="Keeps pull Secrets for Amazon ECR fresh.")
    parser.add_argument("--version", action="version", version=f"pullkeeper {version('pullkeeper')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, words in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        # Only the one that is asked for is loaded: kopf and boto3 alone take more than a second.
        if [name] == list(arguments[:1]):
            module = cast("_Command", import_module(f"pullkeeper.cli.{name}"))
            module.add_parser(command)
            command.set_defaults(main=module.main)
    return parser


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _complain(*lines: str) -> None:
    print("pullkeeper:", *lines, sep="\n" if len(lines) > 1 else " ", file=sys.stderr)
