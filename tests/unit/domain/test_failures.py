"""Reasons, failures, and the responses of the API server."""

import pytest

from pullkeeper.domain.errors.failures import (
    EXPLANATIONS,
    TOKEN_REASONS,
    Failure,
    FailureError,
    Reason,
    foreign_secret_failure,
)
from pullkeeper.domain.kube.api import Response

WAITS_FOR_SOMEBODY = {
    Reason.ACCESS_DENIED: True,
    Reason.THROTTLED: False,
    Reason.CREDENTIALS_MISSING: False,
    Reason.CREDENTIALS_INVALID: True,
    Reason.CONFIGURATION_INVALID: True,
    Reason.PARTITION_MISMATCH: True,
    Reason.NODE_ROLE_REFUSED: True,
    Reason.CREDENTIALS_TIMEOUT: False,
    Reason.REGION_INVALID: True,
    Reason.REGION_NOT_ENABLED: True,
    Reason.NETWORK_UNREACHABLE: False,
    Reason.CERTIFICATE_UNTRUSTED: True,
    Reason.PROXY_REFUSED: True,
    Reason.SERVICE_ERROR: False,
    Reason.MALFORMED_ANSWER: False,
    Reason.TOKEN_EXPIRED: False,
    Reason.REGISTRY_REJECTED: True,
    Reason.ROLE_NOT_ALLOWED: True,
    Reason.SERVICE_ACCOUNT_UNUSABLE: True,
    Reason.INVALID_ANNOTATION: True,
    Reason.SECRET_CONFLICT: True,
    Reason.QUOTA_EXCEEDED: True,
    Reason.ADMISSION_REFUSED: True,
    Reason.ADMISSION_UNAVAILABLE: False,
    Reason.WRITES_REVERTED: True,
    Reason.KUBERNETES_DENIED: False,
    Reason.KUBERNETES_UNAVAILABLE: False,
}
NOT_OF_A_TOKEN = {
    Reason.REGISTRY_REJECTED,
    Reason.ROLE_NOT_ALLOWED,
    Reason.INVALID_ANNOTATION,
    Reason.SECRET_CONFLICT,
    Reason.QUOTA_EXCEEDED,
    Reason.ADMISSION_REFUSED,
    Reason.ADMISSION_UNAVAILABLE,
    Reason.WRITES_REVERTED,
    Reason.KUBERNETES_DENIED,
    Reason.KUBERNETES_UNAVAILABLE,
}


def test_every_reason_is_explained() -> None:
    """Each has its row: what it means, what to do, who has to."""
    assert set(EXPLANATIONS) == set(Reason)
    assert all(each.meaning and each.fix for each in EXPLANATIONS.values())


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_classified(reason: Reason) -> None:
    """A new reason must say whether it requires action and whether it concerns a token."""
    assert reason.requires_action is WAITS_FOR_SOMEBODY[reason]
    assert reason.may_pass is (reason is Reason.CREDENTIALS_INVALID)
    assert (reason in TOKEN_REASONS) is (reason not in NOT_OF_A_TOKEN)


def test_a_failure_reads_as_message_and_reason() -> None:
    """The exception reads like its failure."""
    failure = Failure(reason=Reason.THROTTLED, message="too much")
    assert str(FailureError(failure)) == str(failure) == "too much (Throttled)"


def test_the_failure_for_a_foreign_secret_names_the_fix() -> None:
    """With the namespace and both ways to resolve the conflict."""
    failure = foreign_secret_failure("team-a")
    assert failure.reason is Reason.SECRET_CONFLICT
    assert failure.message.startswith(
        "namespace/team-a: a Secret with the pull Secret's name exists and is not managed"
    )
    assert failure.message.endswith("or hand it over by adding the label app.kubernetes.io/managed-by=pullkeeper")


def test_the_detail_is_shown_but_not_compared() -> None:
    """It varies between attempts."""
    failure = Failure(reason=Reason.THROTTLED, message="too much", detail="at noon")
    assert str(failure) == "too much [at noon] (Throttled)"
    assert failure == Failure(reason=Reason.THROTTLED, message="too much")


@pytest.mark.parametrize(("status", "ok"), [(200, True), (201, True), (299, True), (300, False), (404, False)])
def test_only_2xx_responses_are_ok(status: int, *, ok: bool) -> None:
    """Every other status means that the request was not served."""
    assert Response(status=status, body={}).ok is ok


def test_a_response_does_not_show_its_body() -> None:
    """The body may be a Secret."""
    response = Response(status=200, body={"data": "hush"})
    assert "hush" not in f"{response!r}{response}"
