"""`pullkeeper render`: show what the controller would do for a Namespace, without contacting cluster or AWS."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pullkeeper.cli.found_settings import find_settings_alone
from pullkeeper.cli.options import add_output, add_settings, print_notes
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.views.render_result import RenderResult, as_document, as_text, render_namespace

_STDIN = "-"

EXAMPLES = (
    "-f namespace.yaml",
    "-f namespace.yaml --config settings.yaml -o json",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_settings(parser)
    parser.add_argument(
        "-f", "--filename", required=True, metavar="FILE", help="Namespace manifests (YAML or JSON); - reads stdin"
    )
    add_output(parser, ("text", "json", "yaml"))


def main(options: argparse.Namespace) -> int:
    """Print the result for each Namespace; the exit status is 1 if one has problems."""
    found = asyncio.run(find_settings_alone(options))
    print_notes(found.notes)
    now = datetime.now(UTC)
    results = [render_namespace(namespace, found.settings, now) for namespace in read_namespaces(options.filename)]
    print(format_results(results, options.output))
    return 1 if any(result.problems for result in results) else 0


def format_results(results: Sequence[RenderResult], output: str) -> str:
    """Return the results as text, JSON or YAML."""
    if output == "text":
        return "\n\n".join(_text(result) for result in results)
    document = {"namespaces": [as_document(result) for result in results]}
    return json.dumps(document, indent=2) if output == "json" else _yaml(document)


def _text(result: RenderResult) -> str:
    """Return the description, and the manifests as a stream of YAML documents."""
    if result.secret is None:
        return as_text(result)
    return f"{as_text(result)}\n\n" + "\n---\n".join(map(_yaml, (result.secret, *result.additional)))


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=1000).rstrip()


def read_namespaces(filename: str) -> list[ObservedNamespace]:
    """Read the Namespaces in a file; raises InvalidInputError with every problem."""
    where = f"-f {filename}"
    try:
        text = sys.stdin.read() if filename == _STDIN else Path(filename).read_text()
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise InvalidInputError([Problem(where=where, found=found, expected="a Namespace manifest")]) from None
    if not documents:
        raise InvalidInputError([Problem(where=where, found="nothing", expected="a Namespace manifest")])
    if problems := [problem for document in documents for problem in _problems(document, where)]:
        raise InvalidInputError(problems)
    return [observe_namespace({**document["metadata"], "resourceVersion": "0"}) for document in documents]


def _problems(document: object, where: str) -> list[Problem]:
    """Return what an API server would reject in a Namespace, as far as it matters here."""
    kind = document.get("kind") if isinstance(document, dict) else None
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if kind != "Namespace" or not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        found = f"an object of kind {quoted(kind)}" if kind else quoted(document)
        return [Problem(where=where, found=found, expected="kind: Namespace, with metadata.name")]
    return [problem for key in ("annotations", "labels") for problem in _not_strings(metadata, key, where)]


def _not_strings(metadata: Mapping[str, Any], key: str, where: str) -> list[Problem]:
    values = metadata.get(key) or {}
    if not isinstance(values, dict):
        return [Problem(where=f"{where}: {key}", found=quoted(values), expected="a mapping of keys to strings")]
    return [
        Problem(where=f"{where}: {key}: {name}", found=quoted(value), expected=f'a string: "{str(value).lower()}"')
        for name, value in values.items()
        if not isinstance(value, str)
    ]
