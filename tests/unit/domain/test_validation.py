"""Problems are shown so that their author can mend them."""

import pytest

from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted


def test_a_problem_says_where_what_and_what_instead() -> None:
    """One line names the place, what stands there and what should."""
    problem = Problem(where="port", found='"x"', expected="a number")
    assert str(problem) == 'port: found "x", expected a number'


def test_an_error_says_every_problem() -> None:
    """All problems of an input come in one error."""
    problems = [Problem(where=where, found="x", expected="y") for where in ("a", "b")]
    error = InvalidInputError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a: found x, expected y; b: found x, expected y"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", '"x"'),
        ("", '""'),
        (True, "True"),
        (1.5, "1.5"),
        (["a"], "['a']"),
        ("a\nb", '"a\\nb"'),
        ("a\x1b[2J", '"a\\x1b[2J"'),
        ("é", '"é"'),
    ],
)
def test_a_value_is_shown_as_written(value: object, shown: str) -> None:
    """Text stands in quotes, and nothing in it can move the reader's cursor."""
    assert quoted(value) == shown


def test_a_long_value_is_cut() -> None:
    """A value of any length stays readable."""
    shown = quoted("x" * 1000)
    assert len(shown) == 121
    assert shown.endswith("…")
