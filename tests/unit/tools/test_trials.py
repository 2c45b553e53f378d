"""The table of faults, and the program that puts each back: what it takes for noticed, and what not."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from testsupport.trials import __main__ as program
from testsupport.trials.checkout import Checkout
from testsupport.trials.table import Edit, EditError, Trial, load

ROWS = [
    f"{part}{number}" for part, count in {"A": 15, "B": 11, "C": 13, "D": 13}.items() for number in range(1, count + 1)
]
"""The rows of the record of trials."""
SOURCE = "def answer() -> int:\n    return 42\n"
TESTS = """
import pytest

from controller.question import answer

def test_the_answer():
    assert answer() == 42

def test_something_else():
    assert answer()

@pytest.fixture
def doubled():
    return 84 // (answer() - 41)

def test_with_a_fixture(doubled):
    assert doubled
"""


def test_every_row_is_there_once() -> None:
    """In the order of the record."""
    assert [trial.row for trial in load()] == ROWS


@pytest.mark.parametrize("trial", load(), ids=lambda trial: trial.row)
def test_a_row_can_be_put_back_or_says_why_not(trial: Trial) -> None:
    """Each edit fits the code as it is, and changes it; its test exists."""
    assert bool(trial.edits) == bool(trial.test) != bool(trial.reason)
    for edit in trial.edits:
        text = Path(edit.file).read_text()
        assert edit.apply(text) != text
    path, _, name = trial.test.partition("::")
    assert not path or f"def {name.partition('[')[0]}(" in Path(path).read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Copy a small project."""
    source = tmp_path / "source"
    for name, text in {
        "controller/question.py": SOURCE,
        "tests/test_question.py": TESTS,
        "pytest.ini": "[pytest]\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=source, check=True)
    return Checkout.of(source, tmp_path / "copy")


def _trial(new: str, test: str = "test_the_answer", old: str = "return 42") -> Trial:
    edit = Edit(file="controller/question.py", old=old, new=new)
    return Trial(row="A1", fault="it is wrong", edits=(edit,), test=f"tests/test_question.py::{test}")


@pytest.mark.parametrize(
    ("trial", "outcome"),
    [
        pytest.param(_trial("return 43"), program.NOTICED, id="noticed"),
        pytest.param(_trial("raise OSError"), program.NOTICED, id="raised"),
        pytest.param(_trial("return 43", "test_something_else"), "NOT NOTICED", id="the test passes"),
        pytest.param(_trial("return 41", "test_with_a_fixture"), "NOT NOTICED", id="the test cannot be set up"),
        pytest.param(_trial("return answers"), "NOT NOTICED", id="the code is broken"),
        pytest.param(_trial("def question", old="def answer"), "NOT NOTICED", id="nothing can be imported"),
        pytest.param(_trial("return (42"), "CANNOT BE PUT BACK", id="no Python"),
        pytest.param(_trial("", old="return 54"), "CANNOT BE PUT BACK", id="no such text"),
        pytest.param(_trial("  ", old=" "), "CANNOT BE PUT BACK", id="not once"),
    ],
)
def test_only_a_test_that_fails_itself_has_noticed(checkout: Checkout, trial: Trial, outcome: str) -> None:
    """Neither broken code nor a test that cannot run counts; afterwards the code is what it was."""
    assert program.run(checkout, [trial])["A1"].startswith(outcome)
    assert (checkout.root / "controller/question.py").read_text() == SOURCE


@pytest.mark.parametrize(("trial", "passes"), [(_trial("return 43"), False), (_trial("-> any", old="-> int"), True)])
def test_no_bytecode_of_an_edit_is_taken_for_the_next_one(checkout: Checkout, trial: Trial, *, passes: bool) -> None:
    """Both leave a file of the same size, and may do so within a second."""
    path = checkout.root / "controller/question.py"
    with checkout.edited(_trial("return 41" if passes else "return 42").edits):
        os.utime(path, (1, 1))
        checkout.run([trial.test], to_the_first=True)
    with checkout.edited(trial.edits):
        os.utime(path, (1, 1))
        assert checkout.run([trial.test], to_the_first=True).passed is passes
    assert checkout.run([trial.test]).passed


def test_bytecode_of_the_file_as_it_was_is_not_taken_for_that_of_an_edit(checkout: Checkout) -> None:
    """Where the file was written within the same second, Python would find it valid: so the edit is of another one."""
    path = checkout.root / "controller/question.py"
    path.touch()
    written = path.stat().st_mtime
    with checkout.edited(_trial("return 43").edits):
        assert int(path.stat().st_mtime) != int(written)
    assert path.stat().st_mtime == written


def test_without_any_fault_all_tests_have_to_pass(checkout: Checkout) -> None:
    """Else everything would be noticed."""
    (checkout.root / "controller/question.py").write_text(SOURCE.replace("42", "43"))
    with pytest.raises(AssertionError, match="without any fault"):
        program.run(checkout, [_trial("return 44", old="return 43")])


def test_several_edits_are_made_and_taken_back_together(checkout: Checkout) -> None:
    """Also where a later one does not fit."""
    first, later = (Edit(file="controller/question.py", old=old, new="43") for old in ("42", "42"))
    with pytest.raises(EditError, match="has 0 times, not once: '42'"), checkout.edited([first, later]):
        pass
    assert (checkout.root / "controller/question.py").read_text() == SOURCE


@pytest.mark.parametrize(
    ("outcomes", "status"), [({"A1": program.NOTICED}, 0), ({"A1": program.NOTICED, "A2": "?"}, 1)]
)
def test_one_row_that_is_not_noticed_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcomes: dict[str, str], status: int
) -> None:
    """And the figures say so."""
    monkeypatch.setattr(program, "_REPORT", tmp_path / "trials.json")
    every = [_trial("a"), _trial("b"), Trial(row="A15", fault="a label", reason="documented")]
    assert program.report(outcomes, every, seed=7) == status
    figures = json.loads((tmp_path / "trials.json").read_text())
    assert figures == {"seed": 7, "rows": 3, "without edits": 1, "tried": len(outcomes), "noticed": 1}
