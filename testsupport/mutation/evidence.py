"""What the outcome of a mutant rests on: which tests reach its function, and in which files they are."""

import ast
import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testsupport.mutation.project import DOMAIN, TESTS


class Evidence:
    """Tests by function."""

    def __init__(self, tests: dict[str, list[str]], at_import: set[str]) -> None:
        self._tests, self._at_import = tests, at_import

    def tests(self, mutant: dict[str, Any]) -> list[str]:
        """Return those that reach its function."""
        return self._tests.get(_name(mutant["function"]), [])

    def is_at_import(self, mutant: dict[str, Any]) -> bool:
        """Whether its function is called when modules are imported."""
        return _name(mutant["function"]) in self._at_import

    def files(self, mutant: dict[str, Any]) -> list[str]:
        """Return the files of its tests; of what is called at import alone, those that import its module."""
        files = {test.partition("::")[0] for test in self.tests(mutant)}
        return sorted(files or importing(_name(mutant["module"])))

    def files_anew(self, mutant: dict[str, Any]) -> list[str]:
        """Return the files to import anew if its function is called at import: those that are closest to its module."""
        return sorted(importing(_name(mutant["module"]))) if self.is_at_import(mutant) else []

    def hash_for(self, mutant: dict[str, Any]) -> str:
        """Hash the module and the files of the tests: while they are the same, the outcome is taken to be."""
        parts = [mutant["source"], *map(_hash_of, sorted({*self.files(mutant), *self.files_anew(mutant)}))]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def importing(module: str) -> set[str]:
    """Return the test files that import a module; or if there are none, those that import one that does, and so on."""
    wanted, seen = {module}, {module}
    while wanted:
        importers = {each for name in wanted for each in _importers()[name]}
        if tests := {each for each in importers if each.startswith(str(TESTS))}:
            return tests
        wanted = importers - seen
        seen |= wanted
    return set()


@functools.cache
def _importers() -> dict[str, set[str]]:
    """Return by module which modules and test files import it."""
    found = defaultdict(set)
    for path in [*DOMAIN.rglob("*.py"), *TESTS.rglob("test_*.py")]:
        in_tests = path.is_relative_to(TESTS)
        name = str(path) if in_tests else ".".join(path.relative_to("controller").with_suffix("").parts)
        for imported in _imported(path):
            found[imported].add(name)
    return found


def _imported(path: Path) -> Iterator[str]:
    """Return the names of what a file imports: of modules, and of what is in them, which may be modules as well."""
    for statement in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(statement, ast.Import):
            yield from (each.name for each in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield from (statement.module, *(f"{statement.module}.{each.name}" for each in statement.names))


def _name(below_domain: str) -> str:
    return f"pullkeeper.domain.{below_domain}"


@functools.cache
def _hash_of(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
