"""How a namespace stands, by its Secret and what has failed."""

import pytest

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.reporting.state import State, state_of
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from testsupport.examples import EU, managed, published

SECRET = managed(published(EU))
DENIED, INVALID, ROLE, CONFLICT = (
    Failure(reason=reason, message="words")
    for reason in (Reason.ACCESS_DENIED, Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED, Reason.SECRET_CONFLICT)
)


@pytest.mark.parametrize(
    ("secret", "failures", "state"),
    [
        (SECRET, (), State.READY),
        (None, (), State.PENDING),
        (None, (DENIED,), State.PENDING),
        (SECRET, (DENIED,), State.FAILING),
        (SECRET, (INVALID,), State.MISCONFIGURED),
        (None, (INVALID,), State.MISCONFIGURED),
        (None, (ROLE,), State.MISCONFIGURED),
        (SECRET, (DENIED, INVALID), State.MISCONFIGURED),
        (SECRET, (CONFLICT, INVALID), State.MISCONFIGURED),
        (None, (CONFLICT,), State.CONFLICT),
        (SECRET, (CONFLICT, DENIED), State.CONFLICT),
        (managed(None, intact=False), (), State.READY),
    ],
)
def test_how_a_namespace_stands(secret: ObservedSecret | None, failures: tuple[Failure, ...], state: State) -> None:
    """The worst that somebody can mend counts; without a Secret everything else is waiting."""
    assert state_of(secret, failures) == state
