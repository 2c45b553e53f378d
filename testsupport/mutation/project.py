"""A copy of the repository in which each function of the domain comes with its mutants; one is switched on by name."""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents
from mutmut.mutation.trampoline_templates import trampoline_imports

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
_SWITCH = "\nfrom testsupport.mutation.switch import MutantDict, switchable as _mutmut_mutated\n"
_WORKERS = int(os.environ.get("MUTATION_WORKERS", "2"))


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Mutant:
    """One function with one change."""

    module: str
    """Below the domain: `secret.plan`."""
    function: str
    """With its module: `secret.plan.plan`."""
    removed: str
    """The lines that it replaces, without indentation."""
    added: str
    number: int
    """Of those of a function that change like lines alike, which one."""
    name: str
    """What mutmut calls it in its module."""
    source: str
    """A hash of the module that it is made of."""

    @property
    def key(self) -> str:
        """What it is known by as long as its function has these lines."""
        return f"{self.function}: {self.removed} -> {self.added}" + (f" ({self.number})" if self.number else "")

    def as_dict(self) -> dict[str, object]:
        """Return it for a JSON file."""
        return asdict(self) | {"key": self.key}


def modules() -> list[str]:
    """Return the names of all modules below the domain."""
    return [_module_of(path) for path in sorted(DOMAIN.rglob("*.py"))]


def prepare(folder: Path, chosen: Set[str]) -> list[Mutant]:
    """Make the copy in a folder, anew; return the mutants in it: of these modules."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in _NEEDED:
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copytree(TESTS, folder / TESTS, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/__init__.py", "tests/unit/__init__.py"):
        shutil.copy(name, folder / name)
    (folder / TESTS / "conftest.py").write_text(_CONFTEST)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    with _working_in(folder), ProcessPoolExecutor(_WORKERS) as pool:
        paths = [path for path in sorted(DOMAIN.rglob("*.py")) if _module_of(path) in chosen]
        return [mutant for mutants in pool.map(mutants_of, paths) for mutant in mutants]


def _module_of(path: Path) -> str:
    """Return the name below the domain: `secret.plan`."""
    return ".".join(path.relative_to(DOMAIN).with_suffix("").parts)


def mutants_of(path: Path) -> list[Mutant]:
    """Write the mutants of a module into it, and return them."""
    text = path.read_text()
    mutated = mutate_file_contents(str(path), undecorate(text))
    path.write_text(mutated.code.replace(trampoline_imports, _SWITCH, 1))
    source = hashlib.sha256(text.encode()).hexdigest()[:12]
    return list(_numbered(mutated, _module_of(path), source))


def _numbered(mutated: MutatedFile, module: str, source: str) -> Iterator[Mutant]:
    lines, seen = mutated.code.splitlines(), Counter[tuple[str, str, str]]()
    bodies = {
        name: [line.strip().replace(f"{name}(", "f(") for line in lines[span.start - 1 : span.end] if line.strip()]
        for name, span in mutated.line_span_by_function_name.items()
    }
    for name in mutated.mutant_names:
        mangled, _, _ = name.partition("__mutmut_")
        function = mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")
        removed, added = _difference(bodies[f"{mangled}__mutmut_orig"], bodies[name])
        change = (f"{module}.{function}", removed, added)
        number = seen[change]
        yield Mutant(
            module=module, function=change[0], removed=removed, added=added, number=number, name=name, source=source
        )
        seen[change] += 1


def _difference(before: Sequence[str], after: Sequence[str]) -> tuple[str, str]:
    """Return the lines from the first that differs to the last that does."""
    start, end = alike(before, after)
    return "\n".join(before[start : len(before) - end]), "\n".join(after[start : len(after) - end])


def alike(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Return how many items are alike at the start, and how many of the others at the end."""
    start = _alike_at_start(before, after)
    return start, _alike_at_start(before[start:][::-1], after[start:][::-1])


def _alike_at_start(before: Sequence[str], after: Sequence[str]) -> int:
    pairs = enumerate(zip(before, after, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(before), len(after)))


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
