"""docs/reliability.md is what its command writes, and names tests and commands that exist."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.reliability import DATA, PAGE, flatten, render

DOCUMENT: dict[str, Any] = yaml.safe_load(DATA.read_text())
PROMISES: list[dict[str, str]] = DOCUMENT["promises"]


def _tests(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, functions)}


def test_the_page_is_what_the_command_writes() -> None:
    """Neither is changed alone."""
    assert PAGE.read_text() == render(DOCUMENT)


@pytest.mark.parametrize("test", [each["test"] for each in PROMISES])
def test_each_promise_has_its_test(test: str) -> None:
    """A test that is renamed or removed takes its promise with it."""
    path, _, name = test.partition("::")
    assert name in _tests(Path(path))


@pytest.mark.parametrize("command", sorted({each["command"] for each in PROMISES}))
def test_each_command_exists_and_is_run_in_ci(command: str) -> None:
    """What nobody runs holds nothing."""
    assert re.search(rf"^{command.removeprefix('make ')}:", Path("Makefile").read_text(), re.MULTILINE)
    ci = Path(".ci/run").read_text()
    assert re.search(rf'"make[^"]*\b{command.removeprefix("make ")}\b', ci)


def test_every_invariant_has_a_promise() -> None:
    """From 1 to 13 by number; the fourteenth is named among all of them."""
    numbers = {int(found[1]) for each in PROMISES if (found := re.match(r"(\d+)\. ", each["promise"]))}
    assert numbers == set(range(1, 14))
    assert any("1 to 14" in each["promise"] for each in PROMISES)


def test_every_figure_has_its_promise() -> None:
    """A suite whose figures are shown says what they are about."""
    assert set(DOCUMENT["figures"]) <= {each["figures"] for each in PROMISES if "figures" in each}


def test_figures_are_told_by_their_path() -> None:
    """A list counts."""
    assert dict(flatten({"a": 1, "b": {"c": "x", "d": [1, 2]}})) == {"a": 1, "b, c": "x", "b, d": 2}
