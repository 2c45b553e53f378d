"""`pullkeeper run`: run the controller until it is told to stop."""

import argparse
import asyncio

from pullkeeper.app.config_loader import config_from
from pullkeeper.app.manager import run
from pullkeeper.cli.options import add_config


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    parser.add_argument("--kubeconfig", metavar="FILE", help="log in with this kubeconfig instead of as the pod")


def main(options: argparse.Namespace) -> int:
    """Run the controller; 0 when it was told to stop."""
    asyncio.run(run(config_from(options.config), kubeconfig=options.kubeconfig))
    return 0
