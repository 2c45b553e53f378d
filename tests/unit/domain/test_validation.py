"""Problems, and how values are shown in them."""

import pytest

from pullkeeper.domain.errors.validation import MAX_REPORTED, InvalidInputError, Problem, quoted


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
    """So the message stays readable, whatever the value is."""
    for value in ("x" * 250_000, "\x1b" * 250_000, ["x" * 1000], "é" * 121, "x" * 119, "\u202e" * 60):
        shown = quoted(value)
        assert len(shown) == 120
        assert shown.endswith("…")
        assert shown.isprintable()


def test_a_value_that_is_endless_when_written_out_is_shown_in_part() -> None:
    """A YAML file of forty lines can name one list 2**40 times."""
    value: list[object] = ["x", "x"]
    for _ in range(200):
        value = [value, value]
    assert quoted(value).startswith("[[[[[...]")
    assert len(quoted(value)) <= 120


def test_a_number_of_too_many_digits_is_none_to_show() -> None:
    """Python converts no more than 4,300 digits, which a hexadecimal number in a file may exceed."""
    assert quoted(16**5000) == "a number of thousands of digits"
    assert quoted([-(16**5000)]) == "[a number of thousands of digits]"
    assert quoted(2**9999) == "a number of thousands of digits"
    assert quoted(2**9999 - 1).startswith(str(2**9999 - 1)[:50])


def test_no_part_of_a_problem_is_endless_or_invisible() -> None:
    """Wherever its text comes from."""
    shown = str(Problem(where="w" * 9000, found="f\x1b" * 9000, expected="e" * 9000))
    assert len(shown) < 5000
    assert shown.isprintable()


def test_of_many_problems_the_first_are_reported_and_the_others_counted() -> None:
    """The message of the error stays short."""
    problems = [Problem(where=f"{number}", found="x", expected="y") for number in range(MAX_REPORTED + 12)]
    error = InvalidInputError(problems)
    assert error.problems == tuple(problems)
    assert error.summary == (*map(str, problems[:MAX_REPORTED]), "and 12 more")
    assert InvalidInputError(problems[:MAX_REPORTED]).summary == tuple(map(str, problems[:MAX_REPORTED]))
    assert InvalidInputError(problems[: MAX_REPORTED + 1]).summary[-1] == "and 1 more"
