"""The messages for invalid values, listed in wrong_values.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from testsupport.helm import Helms, with_role

TABLE: Mapping[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("wrong_values.yaml").read_text())


def _values(case: Mapping[str, Any]) -> dict[str, Any]:
    return with_role(**case["values"])


def _lines(case: Mapping[str, Any]) -> dict[str, str]:
    return {name: case.get(name, case.get("line", "")) for name in ("helm3", "helm4")}


@pytest.fixture(scope="module", autouse=True)
def _prepared(helms: Helms) -> None:
    helms.prepare([_values(case) for cases in TABLE.values() for case in cases])


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
