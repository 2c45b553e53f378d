"""Label selectors behave as in Kubernetes."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement

KEYS = ("team", "tier", "")
VALUES = ("a", "b", "")

# Kubernetes' own words for each operator, in the order of its reference: "values" is the set, "labels" the object's.
ORACLE: Mapping[Operator, Callable[[Requirement, Mapping[str, str]], bool]] = {
    Operator.IN: lambda need, labels: any(labels.get(need.key) == value for value in need.values),
    Operator.NOT_IN: lambda need, labels: all(labels.get(need.key) != value for value in need.values),
    Operator.EXISTS: lambda need, labels: any(key == need.key for key in labels),
    Operator.DOES_NOT_EXIST: lambda need, labels: all(key != need.key for key in labels),
}

labels_of_objects = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
requirements = st.builds(
    Requirement,
    key=st.sampled_from(KEYS),
    operator=st.sampled_from(Operator),
    values=st.frozensets(st.sampled_from(VALUES)),
)


@given(st.lists(requirements, max_size=4), labels_of_objects)
def test_a_selector_matches_if_every_requirement_does(needs: list[Requirement], labels: dict[str, str]) -> None:
    """Each requirement behaves as the API reference states."""
    expected = all(ORACLE[need.operator](need, labels) for need in needs)
    assert LabelSelector(requirements=tuple(needs)).matches(labels) is expected


@given(requirements, labels_of_objects)
def test_opposite_operators_never_agree(need: Requirement, labels: dict[str, str]) -> None:
    """In and NotIn, Exists and DoesNotExist."""
    opposite = {
        Operator.IN: Operator.NOT_IN,
        Operator.NOT_IN: Operator.IN,
        Operator.EXISTS: Operator.DOES_NOT_EXIST,
        Operator.DOES_NOT_EXIST: Operator.EXISTS,
    }[need.operator]
    other = Requirement(key=need.key, operator=opposite, values=need.values)
    assert need.matches(labels) is not other.matches(labels)


@pytest.mark.parametrize(
    ("operator", "labels", "fits"),
    [
        (Operator.IN, {"team": "a"}, True),
        (Operator.IN, {"team": "b"}, False),
        (Operator.IN, {}, False),
        (Operator.NOT_IN, {"team": "a"}, False),
        (Operator.NOT_IN, {"team": "b"}, True),
        (Operator.NOT_IN, {}, True),
        (Operator.EXISTS, {"team": ""}, True),
        (Operator.EXISTS, {"tier": "a"}, False),
        (Operator.DOES_NOT_EXIST, {"team": ""}, False),
        (Operator.DOES_NOT_EXIST, {}, True),
    ],
)
def test_a_missing_label_matches_only_negations(operator: Operator, labels: Mapping[str, str], *, fits: bool) -> None:
    """NotIn and DoesNotExist match an object without the label, as in Kubernetes."""
    assert Requirement(key="team", operator=operator, values=frozenset({"a"})).matches(labels) is fits


@given(labels_of_objects)
def test_an_empty_selector_matches_everything(labels: dict[str, str]) -> None:
    """As in Kubernetes."""
    assert LabelSelector().matches(labels)
