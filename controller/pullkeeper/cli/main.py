"""Entry point of the command line."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Protocol, cast

from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.errors.validation import InvalidInputError

_FAILED = 1
_INVALID_INPUT = 2

COMMANDS = {
    "run": "run the controller",
    "check": "check everything that the controller needs: settings, permissions, Lease, AWS credentials and tokens",
    "status": "show the status of every namespace that requests a pull Secret",
    "explain": "say why a pod cannot pull its images, and how to mend it",
    "render": "show what the controller would do for a Namespace manifest, and why",
    "iam": "print what must exist in AWS: OIDC providers, roles, their trust policies and permissions",
    "refresh": "request a fresh token for a namespace and wait until its pull Secret has it",
    "cleanup": "delete the pull Secrets created by the controller",
    "version": "show the version of this program and of the controllers in the cluster",
    "completion": "print a script that lets a shell complete commands and options",
}
"""Help text of each command; its module is `pullkeeper.cli.<command>`."""


class _Command(Protocol):
    """Module of a command."""

    EXAMPLES: Sequence[str]
    """What may follow the command's name, most usual first."""

    @staticmethod
    def add_parser(parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""

    @staticmethod
    def main(options: argparse.Namespace) -> int:
        """Run the command and return the exit status; raises InvalidInputError, FailureError or OSError."""


def main() -> int:
    """Run the command and return the exit status: 0 for success, 1 for failure, 2 for invalid input."""
    return _run(sys.argv[1:])


def _run(arguments: Sequence[str]) -> int:
    options = _parser(arguments).parse_args(arguments)
    try:
        return _run_command(options)
    except InvalidInputError as error:
        _print_error("invalid input:", *(f"  {problem}" for problem in error.summary))
        return _INVALID_INPUT


def _run_command(options: argparse.Namespace) -> int:
    status = _FAILED
    try:
        status = options.main(options)
    except* (FailureError, OSError) as group:
        for error in _leaves(group):
            _print_error(str(error))
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pullkeeper", description="Keeps image-pull Secrets for Amazon ECR fresh in Kubernetes namespaces."
    )
    parser.add_argument("--version", action="version", version=f"pullkeeper {version('pullkeeper')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        # Load only the requested command: importing kopf and boto3 takes more than a second.
        if [name] == list(arguments[:1]):
            add_command(name, command)
    return parser


def add_command(name: str, parser: argparse.ArgumentParser) -> None:
    """Load a command, and add its options and examples to a parser."""
    module = cast("_Command", import_module(f"pullkeeper.cli.{name}"))
    module.add_parser(parser)
    lines = (f"  pullkeeper {name} {example}".rstrip() for example in module.EXAMPLES)
    parser.epilog = "\n".join(["examples:", *lines, *([f"\n{parser.epilog}"] if parser.epilog else [])])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(main=module.main)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _print_error(*lines: str) -> None:
    print(f"pullkeeper: {printable(lines[0])}", *map(printable, lines[1:]), sep="\n", file=sys.stderr)
