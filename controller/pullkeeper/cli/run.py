"""`pullkeeper run`: run the controller until it is told to stop."""

import argparse
import asyncio

from pullkeeper.app.config_loader import config_from
from pullkeeper.app.file_limit import raise_file_limit
from pullkeeper.app.manager import run
from pullkeeper.cli.options import add_config

EXAMPLES = (
    "--config settings.yaml",
    "--config settings.yaml --kubeconfig ~/.kube/config",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="kubeconfig to use (default: the pod's ServiceAccount, else $KUBECONFIG)"
    )


def main(options: argparse.Namespace) -> int:
    """Run the controller; returns 0 after an orderly shutdown."""
    raise_file_limit()
    asyncio.run(run(config_from(options.config), kubeconfig=options.kubeconfig))
    return 0
