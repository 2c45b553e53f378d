"""Writes docs/reliability.md: each promise, the test that holds it, its command, and the figures of the last runs.

`python -m tools.reliability` takes over the figures that suites have left in build/ into docs/reliability.yaml.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DATA, PAGE = Path("docs/reliability.yaml"), Path("docs/reliability.md")
_SUITES = ("simulation", "boundaries", "model", "mutants", "trials", "chaos")
_HEAD = """# Reliability

What Pullkeeper promises, the test that holds each promise, and the command that runs it. `make
reliability` writes this page from [reliability.yaml](reliability.yaml) and from the figures that the
suites leave in `build/`.

| promise | test | command |
|---|---|---|
"""
_FIGURES = """
## Figures

Of the last runs whose figures were taken over. A suite that is not listed has not been run for this
page; its command does.

| suite | figure | value |
|---|---|---|
"""


def main() -> None:
    """Take over new figures, and write the page."""
    text = DATA.read_text()
    data = yaml.safe_load(text)
    figures = data["figures"] | {suite: found for suite in _SUITES if (found := _left_by(suite)) is not None}
    promises = text[: text.index("\nfigures:") + 1]
    DATA.write_text(promises + yaml.safe_dump({"figures": figures}, width=120))
    PAGE.write_text(render(yaml.safe_load(DATA.read_text())))


def render(data: dict[str, Any]) -> str:
    """Return the page."""
    rows = "".join(
        f"| {each['promise']} | [`{_name(each['test'])}`](../{each['test'].partition('::')[0]}) "
        f"| `{each['command']}` |\n"
        for each in data["promises"]
    )
    figures = "".join(
        f"| {suite} | {name} | {value} |\n"
        for suite, found in sorted(data["figures"].items())
        for name, value in found.items()
    )
    return _HEAD + rows + (_FIGURES + figures if figures else "")


def _name(test: str) -> str:
    return test.partition("::")[2]


def _left_by(suite: str) -> dict[str, Any] | None:
    path = Path("build", f"{suite}.json")
    return dict(flatten(json.loads(path.read_text()))) if path.exists() else None


def flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers and words of a document, each by its path; a list by its length."""
    for key, each in value.items():
        name = f"{prefix}{key}"
        if isinstance(each, dict):
            yield from flatten(each, f"{name}, ")
        else:
            yield name, len(each) if isinstance(each, list) else each


if __name__ == "__main__":
    main()
