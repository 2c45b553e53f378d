"""Options that commands share: settings file, Secret name, kubeconfig, output format, namespace."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pullkeeper.app.config_loader import config_from
from pullkeeper.domain.config.settings import VARIABLE_PREFIX, Settings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (YAML)")


def add_secret_name(parser: argparse.ArgumentParser) -> None:
    """Add --secret-name, for use without a settings file; `settings_from` applies it."""
    parser.add_argument(
        "--secret-name", metavar="NAME", help="name of the pull Secrets (default: from the settings, ecr-pull-secret)"
    )


def add_kubeconfig(parser: argparse.ArgumentParser) -> None:
    """Add --kubeconfig and --context; `api_server.connected` applies them."""
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="kubeconfig to use (default: $KUBECONFIG, else the pod's ServiceAccount)"
    )
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig to use")


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Add -o/--output; the first format is the default."""
    parser.add_argument(
        "-o", "--output", choices=formats, default=formats[0], help=f"output format (default: {formats[0]})"
    )


def settings_from(options: argparse.Namespace) -> Settings:
    """Return the settings, with --secret-name in force; raises InvalidInputError with every problem."""
    variables = {f"{VARIABLE_PREFIX}SECRET_NAME": options.secret_name} if options.secret_name else {}
    return config_from(options.config, variables).settings
