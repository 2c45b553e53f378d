"""A copy of the repository in which each function of the domain comes with its mutants; one is switched on by name."""

import difflib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from mutmut.mutation.file_mutation import mutate_file_contents

from testsupport.mutation.undecorated import undecorate

DOMAIN = Path("controller/pullkeeper/domain")
TESTS = Path("tests/unit/domain")
_NEEDED = ("controller", "docs", "testsupport")
_PYPROJECT = f"""
[tool.mutmut]
source_paths = ["controller"]

[tool.pytest.ini_options]
testpaths = ["{TESTS}"]
pythonpath = [".", "controller"]
addopts = ["--import-mode=importlib"]
asyncio_mode = "auto"
"""
_CONFTEST = '''"""Draws the same examples each time, and shrinks none: that one fails is enough."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutants", deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutants")
'''


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Mutant:
    """One function with one change."""

    name: str
    """As mutmut calls it: module, function and a number."""
    function: str
    """Module and function below the domain: `secret.plan.plan`."""
    removed: str
    """The lines that it replaces, without indentation."""
    added: str


def prepare(folder: Path) -> list[Mutant]:
    """Make the copy in a folder, anew; return the mutants in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in _NEEDED:
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copytree(TESTS, folder / TESTS, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/__init__.py", "tests/unit/__init__.py"):
        shutil.copy(name, folder / name)
    (folder / TESTS / "conftest.py").write_text(_CONFTEST)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    with _working_in(folder):
        return [mutant for path in sorted(DOMAIN.rglob("*.py")) for mutant in mutants_of(path)]


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Write the mutants of a module into it, and yield them."""
    mutated = mutate_file_contents(str(path), undecorate(path.read_text()))
    path.write_text(mutated.code)
    module = ".".join(path.relative_to("controller").with_suffix("").parts)
    functions = dict(_functions(cst.parse_module(mutated.code)))
    for name in mutated.mutant_names:
        mangled, _, _ = name.partition("__mutmut_")
        removed, added = _difference(functions[f"{mangled}__mutmut_orig"], functions[name])
        function = mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")
        yield Mutant(
            name=f"{module}.{name}",
            function=f"{module.removeprefix('pullkeeper.domain.')}.{function}",
            removed=removed,
            added=added,
        )


def _functions(module: cst.Module) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of each generated function, at any depth of classes."""
    for statement in module.body:
        nested = statement.body.body if isinstance(statement, cst.ClassDef) else [statement]
        for each in nested:
            if isinstance(each, cst.FunctionDef) and "__mutmut_" in each.name.value:
                lines = module.code_for_node(each.with_changes(name=cst.Name("f"), leading_lines=[])).splitlines()
                yield each.name.value, [line.strip() for line in lines]


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    lines = list(difflib.ndiff(before, after))
    return tuple("\n".join(line[2:] for line in lines if line.startswith(mark)) for mark in "-+")  # type: ignore[return-value]


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
