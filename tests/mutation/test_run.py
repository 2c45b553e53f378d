"""A small domain with its tests, run like the real one: what is noticed, what is not, and what is kept."""

import json
from pathlib import Path

import pytest

from testsupport.mutation.__main__ import run
from testsupport.mutation.project import Mutant, prepare

ROOT = Path(__file__).parents[2]
SOURCE = """
def _named(word: str) -> str:
    return word + "."

END = _named("end")

def least(one: int, other: int) -> int:
    return one if one < other else other

def count(last: int) -> int:
    number = 0
    while number != last:
        number += 1
    return number
"""
TESTS = """
from pullkeeper.domain.ecr.life import END, count, least

def test_least() -> None:
    assert (least(1, 2), least(2, 1)) == (1, 1)

def test_count() -> None:
    assert (count(3), count(0)) == (3, 0)

def test_end() -> None:
    assert END == "end."
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with this domain, in which to run."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "controller/pullkeeper/__init__.py": "",
        "controller/pullkeeper/domain/__init__.py": "",
        "controller/pullkeeper/domain/ecr/__init__.py": "",
        "controller/pullkeeper/domain/ecr/life.py": SOURCE,
        "tests/unit/domain/test_life.py": TESTS,
        "tests/__init__.py": "",
        "tests/unit/__init__.py": "",
        "docs/index.md": "",
    }.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("testsupport").symlink_to(ROOT / "testsupport")
    return tmp_path / "build/mutation"


def test_mutants_are_noticed_by_the_tests_that_reach_them(folder: Path) -> None:
    """By an assertion, by a test that does not end, by tests of what is made at import; an equivalent one is not."""
    outcomes = {mutant.key: outcome for mutant, outcome in outcomes_in(folder).items()}
    always = "return one if (one < other) or True else other"
    assert outcomes[f"ecr.life.least: return one if one < other else other -> {always}"] == "killed"
    assert outcomes["ecr.life.count: number += 1 -> number = 1"] == "endless"
    assert outcomes['ecr.life._named: return word + "." -> return word - "."'] == "killed"
    assert outcomes['ecr.life._named: return word + "." -> return word + "XX.XX"'] == "killed"
    survivors = [key for key, outcome in outcomes.items() if outcome == "survived"]
    assert survivors == [
        "ecr.life.least: return one if one < other else other -> return one if one <= other else other"
    ]


@pytest.mark.parametrize(
    "line",
    ["from pullkeeper.domain.ecr import (\n    life,\n)", "import pullkeeper.domain.ecr.life as life"],
    ids=["from its package", "as a whole"],
)
def test_what_is_made_at_import_is_noticed_however_it_is_imported(folder: Path, line: str) -> None:
    """A test file has to be found for it, though no test calls its function."""
    Path("tests/unit/domain/test_life.py").write_text(
        f'{line}\n\ndef test_end() -> None:\n    assert life.END == "end."\n'
    )
    assert set(outcomes_in(folder, "ecr.life._named").values()) == {"killed"}


def test_an_outcome_is_kept_until_the_module_or_its_tests_change(folder: Path) -> None:
    """And is known to the next run, which then needs no other."""
    before = outcomes_in(folder, "ecr.life.least")
    kept = Path("build/mutants-kept.json")
    kept.write_text(kept.read_text().replace('"killed"', '"kept"'))
    assert "kept" in outcomes_in(folder, "ecr.life.least").values()
    tests = Path("tests/unit/domain/test_life.py")
    tests.write_text(tests.read_text().replace("least(1, 2), least(2, 1)", "least(1, 1), least(1, 1)"))
    assert outcomes_in(folder, "ecr.life.least") == dict.fromkeys(before, "survived")


def test_parts_make_up_the_whole(folder: Path) -> None:
    """A module that is not chosen has no mutants; those that are, are run alone, and kept beside the others."""
    other = Path("controller/pullkeeper/domain/ecr/other.py")
    other.write_text("def one() -> int:\n    return 1\n")
    Path("tests/unit/domain/test_other.py").write_text(
        "from pullkeeper.domain.ecr.other import one\n\ndef test_one() -> None:\n    assert one() == 1\n"
    )
    (mutant,) = prepare(folder, {"ecr.other"})
    assert run([mutant]) == {mutant.key: "killed"}
    outcomes_in(folder, "ecr.life.least")
    assert mutant.key in json.loads(Path("build/mutants-kept.json").read_text())


def outcomes_in(folder: Path, function: str = "ecr.life.") -> dict[Mutant, str]:
    """Run the mutants of the one module, or of one function in it."""
    mutants = [mutant for mutant in prepare(folder, {"ecr.life"}) if mutant.function.startswith(function)]
    outcomes = run(mutants)
    return {mutant: outcomes[mutant.key] for mutant in mutants}
