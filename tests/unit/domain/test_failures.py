"""The closed set of reasons, and the small values of the API."""

import pytest

from pullkeeper.domain.errors.failures import TOKEN_REASONS, Failure, FailureError, Reason, foreign_secret_failure
from pullkeeper.domain.kube.api import Response

WAITS_FOR_SOMEBODY = {
    Reason.ACCESS_DENIED: True,
    Reason.THROTTLED: False,
    Reason.CREDENTIALS_MISSING: False,
    Reason.CREDENTIALS_INVALID: True,
    Reason.NODE_ROLE_REFUSED: True,
    Reason.REGION_INVALID: True,
    Reason.NETWORK_UNREACHABLE: False,
    Reason.SERVICE_ERROR: False,
    Reason.MALFORMED_ANSWER: False,
    Reason.TOKEN_EXPIRED: False,
    Reason.REGISTRY_REJECTED: True,
    Reason.ROLE_NOT_ALLOWED: True,
    Reason.SERVICE_ACCOUNT_UNUSABLE: True,
    Reason.INVALID_ANNOTATION: True,
    Reason.SECRET_CONFLICT: True,
    Reason.KUBERNETES_DENIED: False,
    Reason.KUBERNETES_UNAVAILABLE: False,
}
NOT_OF_A_TOKEN = {
    Reason.REGISTRY_REJECTED,
    Reason.ROLE_NOT_ALLOWED,
    Reason.INVALID_ANNOTATION,
    Reason.SECRET_CONFLICT,
    Reason.KUBERNETES_DENIED,
    Reason.KUBERNETES_UNAVAILABLE,
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_classified(reason: Reason) -> None:
    """A new reason must say whether it waits for somebody, and whether it is of a token."""
    assert reason.requires_action is WAITS_FOR_SOMEBODY[reason]
    assert (reason in TOKEN_REASONS) is (reason not in NOT_OF_A_TOKEN)


def test_a_failure_says_its_reason_last() -> None:
    """The error that carries a failure reads like the failure."""
    failure = Failure(reason=Reason.THROTTLED, message="too much")
    assert str(FailureError(failure)) == str(failure) == "too much (Throttled)"


def test_a_strangers_secret_is_named_with_the_way_out() -> None:
    """Whoever reads it knows the namespace and the two things that can be done."""
    failure = foreign_secret_failure("team-a")
    assert failure.reason is Reason.SECRET_CONFLICT
    assert failure.message.startswith(
        "namespace/team-a: a Secret with the pull Secret's name exists and is not managed"
    )
    assert failure.message.endswith("or hand it over by adding the label app.kubernetes.io/managed-by=pullkeeper")


def test_a_detail_is_shown_and_makes_no_other_failure() -> None:
    """What varies from one try to the next stands behind the message, and two failures are equal without it."""
    failure = Failure(reason=Reason.THROTTLED, message="too much", detail="at noon")
    assert str(failure) == "too much [at noon] (Throttled)"
    assert failure == Failure(reason=Reason.THROTTLED, message="too much")


@pytest.mark.parametrize(("status", "ok"), [(200, True), (201, True), (299, True), (300, False), (404, False)])
def test_an_answer_is_ok_up_to_299(status: int, *, ok: bool) -> None:
    """Only the 2xx say that the API server did what was asked."""
    assert Response(status=status, body={}).ok is ok


def test_response_does_not_show_its_body() -> None:
    """The body may be a Secret."""
    response = Response(status=200, body={"data": "hush"})
    assert "hush" not in f"{response!r}{response}"
