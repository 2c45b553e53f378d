"""The messages for invalid values, listed in wrong_values.yaml."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testsupport.helm import CHART, Helms, with_role
from tools import chart_refusals, chart_schema

TABLE: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("wrong_values.yaml").read_text())


def _values(case: Mapping[str, Any]) -> dict[str, Any]:
    return with_role(**case["values"])


def _lines(case: Mapping[str, Any]) -> dict[str, str]:
    return {name: case.get(name, case.get("line", "")) for name in ("helm3", "helm4")}


@pytest.fixture(scope="module", autouse=True)
def _prepared(helms: Helms) -> None:
    refused = [_values(case) for case in (*TABLE["checks"], *TABLE["schema"])]
    helms.prepare([*refused, *(with_role(**values) for values in TABLE["accepted"])])


@pytest.mark.parametrize(
    "case", [*TABLE["checks"], *TABLE["schema"]], ids=lambda case: _lines(case)["helm3"].partition(":")[0]
)
def test_an_invalid_value_is_reported_in_one_line(helms: Helms, case: Mapping[str, Any]) -> None:
    """Both Helm versions reject the value, with one line that names it, what was found and what was expected."""
    answers = helms.template(_values(case))
    assert {name: answer.lines for name, answer in answers.items()} == {
        name: [line] for name, line in _lines(case).items()
    }
    assert [answer.status for answer in answers.values()] == [1, 1]


@pytest.mark.parametrize("values", TABLE["accepted"], ids=json.dumps)
def test_what_only_looks_wrong_is_accepted(helms: Helms, values: dict[str, Any]) -> None:
    """No check refuses more than what would fail or be of no effect."""
    assert helms.render(with_role(**values)).one("Deployment")


def test_eighty_refusals_are_distinct() -> None:
    """Each has words of its own; one that is repeated for another key or value counts once."""
    words = {_lines(case)["helm3"].partition(", expected")[2] for case in TABLE["checks"]}
    both = words | {_lines(case)["helm3"] for case in TABLE["schema"]}
    assert len(both) >= 80


def test_the_page_of_refusals_is_current() -> None:
    """`make chart-docs` updates it."""
    assert chart_refusals.PAGE.read_text() == chart_refusals.page()


def test_every_refusal_is_on_the_page() -> None:
    """In the user's order: what was given, then the answer."""
    page = chart_refusals.PAGE.read_text()
    shown = [_lines(case)["helm3"] for case in (*TABLE["checks"], *TABLE["schema"])]
    assert [line for line in shown if "aaaaaaaa" not in line and line.replace("|", "\\|") not in page] == []


def _nested(path: str) -> dict[str, Any]:
    key, _, rest = path.partition(".")
    return {key: _nested(rest)} if rest else {key: "x"}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _merged(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


def test_keys_of_other_charts_are_answered_with_ours(helms: Helms) -> None:
    """All of habits.yaml, in one attempt; what was given is not repeated, for it may be an access key."""
    habits = chart_schema.habits()
    values = functools.reduce(_merged, map(_nested, habits), with_role())
    expected = [
        f"{path}: found a key that this chart does not have, expected {habits[path]}" for path in sorted(habits)
    ]
    for answer in helms.template(values).values():
        assert answer.lines == expected


def test_each_hint_leads_to_a_value_that_exists() -> None:
    """A hint names a key of values.yaml, or says that there is nothing."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    known = {*values, *(f"{key}.{inner}" for key in values if isinstance(values[key], dict) for inner in values[key])}
    for instead in chart_schema.habits().values():
        named = {word.strip("`,") for word in instead.split()} & known
        assert named or instead.startswith("nothing, because"), instead


def test_all_problems_are_reported_at_once(helms: Helms) -> None:
    """Several invalid values need one attempt to find them all."""
    values = {"leaderElection": False, "settings": {"maxTokenAge": "1s", "registries": ["x", "y"]}}
    for answer in helms.template(values).values():
        assert [line.partition(":")[0] for line in answer.lines] == [
            "replicas",
            "aws.roleArn",
            "settings.registries[0]",
            "settings.registries[1]",
            "settings.maxTokenAge",
        ]
