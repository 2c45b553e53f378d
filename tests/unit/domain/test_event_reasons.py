"""Event reasons of failures, and which failures are of one kind."""

import pytest

from pullkeeper.domain.errors.failures import TOKEN_REASONS, Failure, Reason
from pullkeeper.domain.reporting.event_reasons import EventReason, event_reason, kind

OWN = {
    Reason.ACCESS_DENIED: EventReason.ACCESS_DENIED,
    Reason.INVALID_ANNOTATION: EventReason.INVALID_ANNOTATION,
    Reason.REGISTRY_REJECTED: EventReason.REGISTRY_REJECTED,
    Reason.ROLE_NOT_ALLOWED: EventReason.ROLE_NOT_ALLOWED,
    Reason.SECRET_CONFLICT: EventReason.SECRET_CONFLICT,
    Reason.QUOTA_EXCEEDED: EventReason.QUOTA_EXCEEDED,
    Reason.ADMISSION_REFUSED: EventReason.ADMISSION_REFUSED,
    Reason.ADMISSION_UNAVAILABLE: EventReason.ADMISSION_REFUSED,
    Reason.WRITES_REVERTED: EventReason.WRITES_REVERTED,
    Reason.KUBERNETES_DENIED: EventReason.KUBERNETES_DENIED,
    Reason.KUBERNETES_UNAVAILABLE: None,
}


def failure(reason: Reason) -> Failure:
    return Failure(reason=reason, message="words")


@pytest.mark.parametrize("reason", Reason)
def test_failures_that_concern_the_namespace_have_an_event(reason: Reason) -> None:
    """An API server that is away would not take one; all token failures except a denial share one reason."""
    expected = OWN.get(reason, EventReason.TOKEN_FETCH_FAILED if reason in TOKEN_REASONS else None)
    assert event_reason(failure(reason)) == expected


def test_failures_are_warnings_and_their_end_is_normal() -> None:
    """Filtering by Warning shows what is wrong and nothing else."""
    assert {reason for reason in EventReason if not reason.warning} == {
        EventReason.PULL_SECRET_CREATED,
        EventReason.PULL_SECRET_UPDATED,
        EventReason.PULL_SECRET_DELETED,
        EventReason.SERVICE_ACCOUNT_ATTACHED,
        EventReason.RECOVERED,
    }


def test_all_token_failures_are_one_kind() -> None:
    """So are all mistakes of the owner; every other reason is a kind of its own."""
    assert {kind(failure(reason)) for reason in TOKEN_REASONS} == {"token"}
    assert kind(failure(Reason.INVALID_ANNOTATION)) == kind(failure(Reason.ROLE_NOT_ALLOWED))
    others = set(Reason) - TOKEN_REASONS - {Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED}
    assert len({kind(failure(reason)) for reason in others} - {"token"}) == len(others)
