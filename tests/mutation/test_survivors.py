"""The list of mutants that survive has to be the list of those that do."""

from collections.abc import Set
from dataclasses import replace
from typing import Any

import pytest

from testsupport.mutation.project import Mutant, modules
from testsupport.mutation.survivors import Survivors, change_of, is_text, load


def mutant(removed: str = "return one < 2", added: str = "return one <= 2", function: str = "ecr.life.f") -> Mutant:
    """Make a mutant of a function of the module ecr.life."""
    return Mutant(module="ecr.life", function=function, removed=removed, added=added, number=0, name="", source="")


MUTANT, TEXT = mutant(), mutant('raise ValueError("no life")', 'raise ValueError("XXno lifeXX")')
CHANGE = "return one {< -> <=} 2"


def problems(survivors: dict[str, Any], outcome: str = "survived", *, left_out: Set[str] = frozenset()) -> list[str]:
    """Return what is wrong with the list, if both mutants have this outcome."""
    kinds = {"equal": "It makes no difference."}
    listed = Survivors({"kinds": kinds, "survivors": survivors})
    outcomes = {each.key: outcome for each in (MUTANT, TEXT)} if outcome else {}
    return list(listed.problems([MUTANT, TEXT], outcomes, left_out))


def test_each_survivor_has_an_entry() -> None:
    """Or is named, with what it changes."""
    assert problems({"ecr.life.f": {"equal": [CHANGE, change_of(TEXT)]}}) == []
    assert problems({"ecr.life.f": {"equal": [change_of(TEXT)]}}) == [
        f"ecr.life.f: {CHANGE!r} is survived and not explained"
    ]
    assert len(problems({})) == 2


def test_all_texts_of_a_function_are_one_entry() -> None:
    """And nothing else of it."""
    assert problems({"ecr.life.f": {"equal": "texts"}}) == [f"ecr.life.f: {CHANGE!r} is survived and not explained"]


@pytest.mark.parametrize("outcome", ["killed", "endless"])
def test_what_is_noticed_needs_no_entry(outcome: str) -> None:
    """One that names it is out of date; not so one of texts, of which some may be noticed."""
    assert problems({"ecr.life.f": {"equal": [CHANGE]}}, outcome) == [
        f"ecr.life.f: {CHANGE!r} is explained, but is {outcome}"
    ]
    assert problems({"ecr.life.f": {"equal": "texts"}}, outcome) == []


def test_an_entry_stands_for_all_that_change_the_same() -> None:
    """As long as one of them survives, or has not been run."""
    twin = replace(MUTANT, number=1)
    listed = Survivors({"kinds": {"equal": ""}, "survivors": {"ecr.life.f": {"equal": [CHANGE]}}})
    for outcome, count in (("survived", 0), ("", 0), ("killed", 1)):
        found = {MUTANT.key: "killed"} | ({twin.key: outcome} if outcome else {})
        assert len(list(listed.problems([MUTANT, twin], found, frozenset()))) == count


def test_an_entry_without_a_mutant_is_out_of_date() -> None:
    """Whatever is run: of a function that has gone, a change that is none any more, texts that are not there."""
    assert problems({"ecr.life.gone": {"equal": ["{1 -> 2}"]}}, "") == ["ecr.life.gone: there is no mutant '{1 -> 2}'"]
    assert problems({"ecr.life.f": {"equal": ["{1 -> 2}"]}}, "") == ["ecr.life.f: there is no mutant '{1 -> 2}'"]
    assert problems({"ecr.life.gone": {"equal": "texts"}}, "") == ["ecr.life.gone: no mutant changes a text"]
    assert problems({"ecr.other.f": {"equal": ["{1 -> 2}"]}}, "", left_out={"ecr.other"}) == []


def test_each_kind_is_explained() -> None:
    """Once, for all that are of it."""
    assert problems({"ecr.life.f": {"other": [CHANGE]}}, "") == ["ecr.life.f: there is no kind 'other'"]


def test_changes_are_told_with_the_words_beside_them() -> None:
    """As much of them as tells one from another; long ones are shortened."""
    assert change_of(MUTANT) == CHANGE
    assert change_of(mutant("f(one, two=2, three=3)", "f(one, two=2, )")) == "one, two=2, {three=3 -> })"
    long = change_of(mutant(f'raise E("{"no such thing " * 9}")', f'raise E("XX{"no such thing " * 9}XX")'))
    assert len(long) < 180
    assert "…" in long


def test_texts_are_told_from_what_else_is_changed() -> None:
    """By case, or by what is put around them."""
    assert is_text(TEXT)
    assert is_text(mutant('"no life"', '"NO LIFE"'))
    assert not is_text(MUTANT)
    assert not is_text(mutant('f("no life")', "f(None)"))


def test_the_list_is_of_functions_that_there_are() -> None:
    """Without making mutants: each entry's module is one of the domain."""
    there = tuple(f"{module}." for module in modules())
    assert all(function.startswith(there) for function in load().functions)
