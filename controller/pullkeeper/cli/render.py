"""`pullkeeper render`: what the controller would do for a Namespace, and why; no cluster and no AWS is asked."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pullkeeper.app.config_loader import add_config, config_from
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.views.render_result import RenderResult, render_namespace
from pullkeeper.domain.views.render_text import as_document, as_text

_STDIN = "-"


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    parser.add_argument(
        "-f", "--filename", required=True, metavar="FILE", help="the Namespace's manifest (YAML or JSON), - for stdin"
    )
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help="how to write it")


def main(options: argparse.Namespace) -> int:
    """Print what would be done for each Namespace; 1 where one asks for what it cannot have."""
    settings = config_from(options.config).settings
    now = datetime.now(UTC)
    found = [render_namespace(view, settings, now) for view in views(options.filename)]
    print(written(found, options.output))
    return 1 if any(each.problems for each in found) else 0


def written(found: Sequence[RenderResult], output: str) -> str:
    """Write forecasts in one of the forms."""
    if output == "text":
        return "\n\n".join(_in_words(each) for each in found)
    document = {"namespaces": [as_document(each) for each in found]}
    return json.dumps(document, indent=2) if output == "json" else _yaml(document)


def _in_words(found: RenderResult) -> str:
    return f"{as_text(found)}\n\n{_yaml(found.secret)}" if found.secret else as_text(found)


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).rstrip()


def views(name: str) -> list[ObservedNamespace]:
    """Read the Namespaces of a file; raises InvalidInputError with every problem."""
    where = f"-f {name}"
    try:
        text = sys.stdin.read() if name == _STDIN else Path(name).read_text()
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise InvalidInputError([Problem(where=where, found=found, expected="a Namespace's manifest")]) from None
    if problems := [*_none(documents, where), *(each for found in documents for each in _problems(found, where))]:
        raise InvalidInputError(problems)
    return [observe_namespace({**each["metadata"], "resourceVersion": "0"}) for each in documents]


def _none(documents: Sequence[object], where: str) -> list[Problem]:
    return [] if documents else [Problem(where=where, found="nothing", expected="a Namespace's manifest")]


def _problems(document: object, where: str) -> list[Problem]:
    """Tell what an API server would not take as a Namespace, as far as it matters here."""
    kind = document.get("kind") if isinstance(document, dict) else None
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if kind != "Namespace" or not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        found = f"an object of kind {quoted(kind)}" if kind else quoted(document)
        return [Problem(where=where, found=found, expected="kind: Namespace, with its metadata.name")]
    return [problem for key in ("annotations", "labels") for problem in _not_texts(metadata, key, where)]


def _not_texts(metadata: Mapping[str, Any], key: str, where: str) -> list[Problem]:
    texts = metadata.get(key) or {}
    if not isinstance(texts, dict):
        return [Problem(where=f"{where}: {key}", found=quoted(texts), expected="a mapping of keys to texts")]
    return [
        Problem(where=f"{where}: {key}: {name}", found=quoted(value), expected=f'a text: "{str(value).lower()}"')
        for name, value in texts.items()
        if not isinstance(value, str)
    ]
