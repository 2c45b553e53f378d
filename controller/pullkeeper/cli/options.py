"""Options that commands share: settings file, Secret name, kubeconfig, output format, namespace."""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pullkeeper.app.config_loader import config_from
from pullkeeper.domain.config.settings import VARIABLE_PREFIX, Settings
from pullkeeper.domain.errors.text import printable

_NAMESPACED = re.compile(
    r"(?P<namespace>[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)/(?P<name>[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)"
)
_CONFIG_VARIABLE = f"{VARIABLE_PREFIX}CONFIG"
"""Names the settings file where no option does; the chart sets it in its pods."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    said = os.environ.get(_CONFIG_VARIABLE)
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(said) if said else None,
        metavar="FILE",
        help=f"settings file (YAML; default: ${_CONFIG_VARIABLE})",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add --config, --installation, --kubeconfig and --context; `found_settings` applies the first two."""
    add_config(parser)
    add_installation(parser)
    add_kubeconfig(parser)


def add_installation(parser: argparse.ArgumentParser) -> None:
    """Add --installation; `found_settings.installation_named` applies it."""
    parser.add_argument(
        "--installation",
        metavar="NAMESPACE/NAME",
        help="the installation, by the name of its ConfigMap and Deployment (default: the only one of the cluster)",
    )


def add_secret_name(parser: argparse.ArgumentParser) -> None:
    """Add --secret-name, for use without settings."""
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
    return config_from(options.config, variables_of(options)).settings


def variables_of(options: argparse.Namespace) -> dict[str, str]:
    """Return what --secret-name, where a command has it, puts in place of the settings."""
    secret_name = getattr(options, "secret_name", None)
    return {f"{VARIABLE_PREFIX}SECRET_NAME": secret_name} if secret_name else {}


def namespaced(text: str) -> tuple[str, str] | None:
    """Split NAMESPACE/NAME, both of Kubernetes' form and so safe in a URL; None for what is none."""
    match = _NAMESPACED.fullmatch(text)
    return (match["namespace"], match["name"]) if match else None


def print_notes(notes: Iterable[str]) -> None:
    """Print notes where they do not get into what is printed for machines."""
    for note in notes:
        print(printable(f"pullkeeper: {note}"), file=sys.stderr)
