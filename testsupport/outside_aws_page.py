"""docs/outside-aws.md, taken apart: its sections, what to type in them, and what no test types."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parents[1] / "docs" / "outside-aws.md"
TYPED = (
    "Everywhere",
    "A public key set",
    "Rotating the signing key",
    "SPIFFE",
    "Behind a proxy",
    "With a private CA",
    "Air-gapped",
    "Several partitions",
)
"""Sections whose commands tests/control_plane/test_outside_aws_page.py types."""
_LIST = "What was tried"


def sections() -> dict[str, str]:
    """Return the text of each section, without its subsections, by its title."""
    found = re.split(r"^##+ ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {title: text for title, _, text in (each.partition("\n") for each in found)}


def commands(section: str) -> list[str]:
    """Return the commands of a section, each as it is written."""
    blocks = "".join(_blocks(section, "console")).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in blocks.splitlines() if line.strip().startswith("$ ")]


def yaml_blocks(section: str) -> list[Any]:
    """Return the files that a section has people write."""
    return [yaml.safe_load(block) for block in _blocks(section, "yaml")]


def not_typed() -> Sequence[str]:
    """Return how the commands begin that no test types: the page lists them."""
    rows = re.findall(r"^\| (`.*?`) \| .+ \|$", sections()[_LIST], re.MULTILINE)
    return [beginning for row in rows for beginning in re.findall(r"`([^`]+)`", row)]


def is_typed(command: str) -> bool:
    """Return whether a command is none of those that the page says no test types."""
    return not any(command == each or command.startswith(f"{each} ") for each in not_typed())


def typed(section: str) -> list[str]:
    """Return what a test types of a section."""
    return [command for command in commands(section) if is_typed(command)]


def _blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", sections()[section], re.MULTILINE | re.DOTALL)
