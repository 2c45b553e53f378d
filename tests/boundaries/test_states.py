"""From whatever state, the cluster gets to what was asked for and stays."""

import math

import pytest

from testsupport.boundaries.explore import run_from
from testsupport.boundaries.states import Answers, Attached, Found, Requested, Start, every_state

_SAMPLE = list(every_state())[::37]
"""A few here; `make boundaries` takes all of them."""


def test_every_combination_is_a_state() -> None:
    """None is left out, and none comes twice."""
    states = list(every_state())
    assert len(set(states)) == len(states) == math.prod(map(len, (Requested, Found, Attached, Answers))) * 2
    assert len({str(state) for state in states}) == len(states)


def test_sample_has_each_value() -> None:
    """What is sampled here has each value of each part at least once."""
    for part in (Requested, Found, Attached, Answers):
        assert {
            value for start in _SAMPLE for value in (start.requested, start.found, start.attached, start.answers)
        } >= set(part)
    assert {start.remembers for start in _SAMPLE} == {False, True}


@pytest.mark.parametrize("start", _SAMPLE, ids=str)
def test_from_a_state_to_what_was_asked_for(start: Start) -> None:
    """All promises are kept on the way, and nothing is written any more in the end."""
    assert run_from(start).wrong == ()
