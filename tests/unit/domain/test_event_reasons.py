"""Which Event tells of what, and what belongs together."""

import pytest

from pullkeeper.domain.errors.failures import TOKEN_REASONS, Failure, Reason
from pullkeeper.domain.reporting.event_reasons import EventReason, event_reason, kind

OWN = {
    Reason.ACCESS_DENIED: EventReason.ACCESS_DENIED,
    Reason.INVALID_ANNOTATION: EventReason.INVALID_ANNOTATION,
    Reason.REGISTRY_REJECTED: EventReason.REGISTRY_REJECTED,
    Reason.ROLE_NOT_ALLOWED: EventReason.ROLE_NOT_ALLOWED,
    Reason.SECRET_CONFLICT: EventReason.SECRET_CONFLICT,
    Reason.KUBERNETES_DENIED: None,
    Reason.KUBERNETES_UNAVAILABLE: None,
}


def failure(reason: Reason) -> Failure:
    return Failure(reason=reason, message="words")


@pytest.mark.parametrize("reason", Reason)
def test_what_its_owner_can_mend_becomes_an_event(reason: Reason) -> None:
    """Trouble with the API server is not the namespace's; all trouble with a token but a denial has one Event."""
    expected = OWN.get(reason, EventReason.TOKEN_FETCH_FAILED if reason in TOKEN_REASONS else None)
    assert event_reason(failure(reason)) == expected


def test_trouble_is_a_warning_and_its_end_is_not() -> None:
    """Whoever looks at warnings alone sees what is wrong and nothing else."""
    assert {reason for reason in EventReason if not reason.warning} == {
        EventReason.PULL_SECRET_CREATED,
        EventReason.PULL_SECRET_UPDATED,
        EventReason.PULL_SECRET_DELETED,
        EventReason.SERVICE_ACCOUNT_ATTACHED,
        EventReason.RECOVERED,
    }


def test_all_that_keeps_a_token_away_is_one_trouble() -> None:
    """So is all that the owner has written; everything else is its own."""
    assert {kind(failure(reason)) for reason in TOKEN_REASONS} == {"token"}
    assert kind(failure(Reason.INVALID_ANNOTATION)) == kind(failure(Reason.ROLE_NOT_ALLOWED))
    others = set(Reason) - TOKEN_REASONS - {Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED}
    assert len({kind(failure(reason)) for reason in others} - {"token"}) == len(others)
