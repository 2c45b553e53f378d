"""What people are told about a reason."""

import json
from pathlib import Path

import pytest

from pullkeeper.domain.errors.causes import Cause
from pullkeeper.domain.errors.failures import EXPLANATIONS, Reason
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.views import explanation
from testsupport import golden

GOLDEN = Path(__file__).parent / "golden"
SOME = [Reason.MALFORMED_ANSWER, Reason.ROLE_NOT_ALLOWED, Reason.KUBERNETES_UNAVAILABLE]
"""With several names of one cause, without a cause, without an Event."""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_with_its_causes(reason: Reason) -> None:
    """Meaning, fix, who has to act, and the same for each cause."""
    text = explanation.as_text(explanation.parse(reason.value))
    assert text.startswith(f"{reason}: {EXPLANATIONS[reason].meaning}\n  fix: {EXPLANATIONS[reason].fix}\n")
    assert f"who has to act: {EXPLANATIONS[reason].actor}" in text
    for cause in explanation.causes_of(reason):
        assert f"{explanation.what(cause)}\n    fix: {explanation.fix(cause)} (who: {cause.who})" in text
    assert "{" not in text


def test_all_reasons_are_explained_at_once() -> None:
    """In the order of the documents."""
    text = explanation.as_text(explanation.parse("all"))
    found = [line.partition(":")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    assert found == list(EXPLANATIONS)


def test_a_reason_is_found_whatever_its_case() -> None:
    """It is typed from a log line."""
    assert explanation.parse("accessDENIED") == [Reason.ACCESS_DENIED]


def test_an_unknown_reason_is_one_clear_error_with_the_known_ones() -> None:
    """No need to look them up elsewhere."""
    with pytest.raises(InvalidInputError) as raised:
        explanation.parse("Nope")
    expected = f"one of all, {', '.join(Reason)}"
    assert raised.value.problems == (Problem(where="--explain", found='"Nope"', expected=expected),)


def test_some_reasons_match_the_golden_files() -> None:
    """For people, and the same for machines."""
    golden.check(GOLDEN / "explanation.txt", explanation.as_text(SOME) + "\n")
    golden.check(GOLDEN / "explanation.json", json.dumps(explanation.as_document(SOME[:2]), indent=2) + "\n")


def test_a_cause_names_the_operations_that_it_is_limited_to() -> None:
    """The same code means something else for another one."""
    cause = Cause(raised=("X", "404"), reason=Reason.SERVICE_ERROR, what="", fix="", operations=("Get", "Put"))
    assert explanation.raised_by(cause) == ["X to Get or Put", "status 404 to Get or Put"]
    names = [name for cause in explanation.causes_of(Reason.ACCESS_DENIED) for name in explanation.raised_by(cause)]
    assert "AccessDenied to AssumeRoleWithWebIdentity" in names
    assert "status 407" in explanation.raised_by(explanation.causes_of(Reason.PROXY_REFUSED)[0])


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.THROTTLED, "retried after a second, "),
        (Reason.ACCESS_DENIED, "retried after 30 seconds, "),
        (Reason.CREDENTIALS_INVALID, "retried three times within seconds, "),
    ],
)
def test_retries_are_told(reason: Reason, words: str) -> None:
    """Whoever has fixed something knows how long to wait."""
    assert explanation.retries(reason).startswith(words)


def test_causes_of_the_api_server_are_among_them() -> None:
    """All have the one reason."""
    assert list(KUBERNETES_CAUSES.causes) == explanation.causes_of(Reason.KUBERNETES_UNAVAILABLE)
