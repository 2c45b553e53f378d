"""Loads a command's settings from the file given by `--config` and from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted

_END_MARKER, _END = "endMarker", b"..."
"""A file with this key ends with YAML's end of a document."""


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
        raise _not_yaml(where_of(path), error) from None
    return Config(settings=parse(where_of(path), content, variables), path=path, content=content)


def parse(where: str, content: bytes, variables: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Parse the content of a settings file that `where` names, "" for none; raises InvalidInputError."""
    try:
        document = yaml.safe_load(content)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise _not_yaml(where, error) from None
    if where:
        _check_whole(where, content, document)
    return parse_settings(document, {**os.environ, **variables})


def where_of(path: Path | None) -> str:
    """Return how problems name a settings file, "" for none."""
    return f"--config {path}" if path else ""


def _check_whole(where: str, content: bytes, document: object) -> None:
    """Reject a file that was cut off: what is missing would change what is opted in and allowed."""
    if document is None:
        raise InvalidInputError([Problem(where=where, found="an empty file", expected="settings, or {} for none")])
    if not isinstance(document, dict) or _END_MARKER not in document:
        return
    if (marked := document.pop(_END_MARKER)) is not True:
        raise InvalidInputError([Problem(where=_END_MARKER, found=quoted(marked), expected="true, or no such key")])
    if content.split()[-1] != _END:
        expected = f"`{_END.decode()}` as its last line, because it says {_END_MARKER}: true"
        raise InvalidInputError([Problem(where=where, found="a file that was cut off", expected=expected)])


def _not_yaml(where: str, error: Exception) -> InvalidInputError:
    problem = Problem(where=where, found=" ".join(str(error).split()), expected="a YAML file")
    return InvalidInputError([problem])
