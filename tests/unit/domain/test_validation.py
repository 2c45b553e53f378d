"""Problems, and how values are shown in them."""

import pytest

from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted


def test_a_problem_says_where_what_and_what_is_expected() -> None:
    """In one line."""
    problem = Problem(where="port", found='"x"', expected="a number")
    assert str(problem) == 'port: found "x", expected a number'


def test_an_error_contains_every_problem() -> None:
    """Of one input."""
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
    """Strings are quoted, and control characters escaped."""
    assert quoted(value) == shown


def test_a_long_value_is_shortened() -> None:
    """So the message stays readable."""
    shown = quoted("x" * 1000)
    assert len(shown) == 121
    assert shown.endswith("…")
