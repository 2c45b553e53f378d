"""docs/glossary.md: its size, and that nothing uses the words that it lists as retired."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pullkeeper.domain.reporting.metric_families import FAMILIES
from pullkeeper.domain.reporting.state import State
from testsupport.name_sources import dashboard, first_column, section

GLOSSARY = Path("docs/glossary.md")
TREES = ("controller", "testsupport", "tools", "tests")
CHART = Path("charts/pullkeeper")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """An identifier where it gets its name."""

    name: str
    kind: str
    """`class`, `method`, `function`, `variable` or `module`."""
    where: str


def _target(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            return name
        case _:
            return None


def _definitions(path: Path) -> Iterator[Definition]:
    tree = ast.parse(path.read_text())
    yield from (Definition(name=part, kind="module", where=str(path)) for part in path.with_suffix("").parts)
    methods = {
        id(each) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for each in ast.iter_child_nodes(node)
    }
    for node in ast.walk(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ClassDef):
            yield Definition(name=node.name, kind="class", where=where)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Definition(name=node.name, kind="method" if id(node) in methods else "function", where=where)
        elif name := _target(node):
            yield Definition(name=name, kind="variable", where=where)


@functools.cache
def definitions() -> tuple[Definition, ...]:
    """Every identifier that the project's own code defines."""
    files = [path for tree in TREES for path in sorted(Path(tree).rglob("*.py"))]
    return tuple(found for path in files for found in _definitions(path))


@functools.cache
def texts() -> dict[str, str]:
    """What people read: documents, chart texts, HELP texts; without code, which has names of its own."""
    documents = [*Path().glob("*.md"), *Path("docs").rglob("*.md"), CHART / "README.md"]
    found = {str(path): path.read_text() for path in documents if path != GLOSSARY}
    found |= {str(path): path.read_text() for path in (CHART / "values.yaml", CHART / "templates" / "NOTES.txt")}
    found |= {family.name: family.documentation for family in FAMILIES}
    for name, alert in yaml.safe_load((CHART / "alerts" / "alerts.yaml").read_text()).items():
        found[name] = f"{alert['summary']} {alert['description']}"
    found |= {panel["title"]: f"{panel['title']} {panel.get('description', '')}" for panel in dashboard()["panels"]}
    return {where: _CODE.sub("", text) for where, text in found.items()}


@functools.cache
def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(name))


def _as_word(word: str) -> list[str]:
    return [f"{each.where}: {each.name}" for each in definitions() if word in _words(each.name)]


def _as_name(word: str, *kinds: str) -> list[str]:
    return [
        f"{each.where}: {each.name}"
        for each in definitions()
        if each.name.lstrip("_") == word and (not kinds or each.kind in kinds)
    ]


def _in_controller(found: list[str]) -> list[str]:
    return [each for each in found if each.startswith("controller/")]


def _in_texts(word: str) -> list[str]:
    form = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    return [where for where, text in texts().items() if form.search(text)]


SEARCHES = {
    "words": _as_word,
    "names": _as_name,
    "classes": lambda word: _in_controller(_as_name(word, "class")),
    "methods": lambda word: _in_controller(_as_name(word, "method")),
    "modules": lambda word: _as_name(word, "module"),
    "states": lambda word: [f"State.{state.name}" for state in State if state == word],
    "texts": _in_texts,
}


def _retired() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| ([a-z, ]+) \|$", section(GLOSSARY, "Retired words"), re.MULTILINE)
    return [
        (word, kind) for words, kinds in rows for word in re.findall(r"`(\w+)`", words) for kind in kinds.split(", ")
    ]


@pytest.mark.parametrize(("word", "kind"), _retired())
def test_retired_word_is_not_used(word: str, kind: str) -> None:
    """No identifier, document or HELP text brings back a word that the glossary retires."""
    assert SEARCHES[kind](word) == []


@pytest.mark.parametrize(
    ("source", "word", "kind"),
    [
        ("def wakeUp(): ...", "wake", "words"),
        ("queue.look_at = 1", "look_at", "names"),
        ("class Patrol: ...", "Patrol", "classes"),
        ("class A:\n    def holds(self): ...", "holds", "methods"),
        ("def f(*, chance): ...", "chance", "names"),
    ],
)
def test_retired_word_would_be_found(
    source: str, word: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search finds a definition of each kind."""
    (tmp_path / "controller").mkdir()
    (tmp_path / "controller" / "module.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"{__name__}.definitions", definitions.__wrapped__)
    assert SEARCHES[kind](word) != []


def test_every_row_is_read() -> None:
    """A row that the test cannot read would keep nothing out."""
    table = section(GLOSSARY, "Retired words")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len({word for word, _ in _retired()}) == len(first_column(table))
    assert len(rows) > 30


def test_the_glossary_is_short() -> None:
    """At most forty terms, in alphabetical order, so that a newcomer reads all of it."""
    terms = re.findall(r"^\| ([a-zA-Z ]+) \|", GLOSSARY.read_text().partition("\n## ")[0], re.MULTILINE)[1:]
    assert 20 < len(terms) <= 40
    assert terms == sorted(terms, key=str.lower)
