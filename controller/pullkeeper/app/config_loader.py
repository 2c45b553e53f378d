"""Loads a command's settings from the file given by `--config` and from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Settings together with the file they were read from, as it was then."""

    settings: Settings
    path: Path | None = None
    content: bytes = b""


def config_from(path: Path | None, variables: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Load the settings file and the environment; `variables` override it. Raises InvalidInputError."""
    try:
        content = path.read_bytes() if path else b""
    except OSError as error:
        raise _not_yaml(path, error) from None
    return Config(settings=parse(path, content, variables), path=path, content=content)


def parse(path: Path | None, content: bytes, variables: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Parse the content of a settings file. Raises InvalidInputError with every problem."""
    try:
        document = yaml.safe_load(content)
    except (ValueError, yaml.YAMLError) as error:
        raise _not_yaml(path, error) from None
    return parse_settings(document, {**os.environ, **variables})


def _not_yaml(path: Path | None, error: Exception) -> InvalidInputError:
    problem = Problem(where=f"--config {path}", found=" ".join(str(error).split()), expected="a YAML file")
    return InvalidInputError([problem])
