"""The state of a namespace, as the controller determines it after a reconcile."""

from datetime import timedelta

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.namespace.namespace_request import namespace_request
from pullkeeper.domain.reporting.state import STATUS_ONLY, State, expiry_state, namespace_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.namespace_status import StatusRules, namespace_status, not_found
from testsupport.examples import EU, FOREIGN, HOUR, NOW, managed, published

MINUTE = timedelta(minutes=1)
READY = managed(published(EU))
EDITED = managed(published(EU), intact=False)
UNREADABLE = managed(None, intact=False)
EXPIRING = managed(published(EU, issued=NOW - 11.5 * HOUR))
EXPIRED = managed(published(EU, issued=NOW - 12 * HOUR))
REVERTED = Failure(reason=Reason.WRITES_REVERTED, message="words")
ROTATION = Rotation(jitter=timedelta())
DENIED, INVALID, ROLE, CONFLICT = (
    Failure(reason=reason, message="words")
    for reason in (Reason.ACCESS_DENIED, Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED, Reason.SECRET_CONFLICT)
)


@pytest.mark.parametrize(
    ("secret", "failures", "state"),
    [
        (READY, (), State.READY),
        (None, (), State.PENDING),
        (None, (DENIED,), State.PENDING),
        (READY, (DENIED,), State.FAILING),
        (EDITED, (DENIED,), State.FAILING),
        (EDITED, (), State.OUTDATED),
        (EXPIRING, (DENIED,), State.EXPIRING),
        (EXPIRED, (DENIED,), State.EXPIRED),
        (EXPIRED, (), State.EXPIRED),
        (UNREADABLE, (), State.CORRUPT),
        (UNREADABLE, (DENIED,), State.CORRUPT),
        (READY, (INVALID,), State.MISCONFIGURED),
        (None, (INVALID,), State.MISCONFIGURED),
        (None, (ROLE,), State.MISCONFIGURED),
        (READY, (DENIED, INVALID), State.MISCONFIGURED),
        (READY, (CONFLICT, INVALID), State.MISCONFIGURED),
        (EXPIRED, (INVALID,), State.MISCONFIGURED),
        (None, (CONFLICT,), State.CONFLICT),
        (FOREIGN, (), State.CONFLICT),
        (READY, (CONFLICT, DENIED), State.CONFLICT),
        (READY, (REVERTED,), State.CONTESTED),
        (EDITED, (REVERTED, DENIED), State.CONTESTED),
        (UNREADABLE, (REVERTED,), State.CONTESTED),
        (None, (REVERTED,), State.CONTESTED),
        (EXPIRED, (REVERTED,), State.EXPIRED),
        (READY, (REVERTED, CONFLICT), State.CONFLICT),
    ],
)
def test_the_state_is_the_first_that_applies(
    secret: ObservedSecret | None, failures: tuple[Failure, ...], state: State
) -> None:
    """What somebody can correct comes first, then the Secret's condition, then whether it can be renewed."""
    assert namespace_state(secret, failures, now=NOW) is state


@pytest.mark.parametrize(
    ("secret", "failures", "state"),
    [
        (READY, (), State.OUTDATED),
        (READY, (DENIED,), State.FAILING),
        (EXPIRING, (), State.EXPIRING),
        (READY, (REVERTED,), State.CONTESTED),
    ],
)
def test_a_secret_that_lacks_what_is_requested_is_outdated(
    secret: ObservedSecret, failures: tuple[Failure, ...], state: State
) -> None:
    """Unless more is wrong with it."""
    assert namespace_state(secret, failures, now=NOW, outdated=True) is state


@pytest.mark.parametrize("failures", [(), (DENIED,)])
def test_a_secret_left_in_a_namespace_that_opted_out_is_orphaned(failures: tuple[Failure, ...]) -> None:
    """Whether or not a deletion has been tried."""
    assert namespace_state(EXPIRED, failures, now=NOW, opted_in=False) is State.ORPHANED


def test_a_secret_that_comes_back_after_each_deletion_is_contested() -> None:
    """Another installation serves the namespace that this one does not."""
    assert namespace_state(READY, (REVERTED,), now=NOW, opted_in=False) is State.CONTESTED


def test_a_token_expires_at_the_end_of_its_lifetime_and_is_expiring_in_the_last_sixteenth() -> None:
    """45 minutes of 12 hours."""
    for age, state in (
        (11 * HOUR + 15 * MINUTE, None),
        (11 * HOUR + 16 * MINUTE, State.EXPIRING),
        (12 * HOUR - MINUTE, State.EXPIRING),
        (12 * HOUR, State.EXPIRED),
    ):
        assert expiry_state(published(EU, issued=NOW - age), NOW) is state


@pytest.mark.parametrize(
    ("enabled", "secret", "failures"),
    [
        ("true", READY, ()),
        ("true", EDITED, ()),
        ("true", None, ()),
        ("true", None, (DENIED,)),
        ("true", EXPIRING, (DENIED,)),
        ("true", EXPIRED, (DENIED,)),
        ("true", managed(published(EU, issued=NOW - 8 * HOUR)), (DENIED,)),
        ("true", UNREADABLE, (DENIED,)),
        ("true", FOREIGN, (CONFLICT,)),
        ("yes", READY, (INVALID,)),
        ("yes", EXPIRED, (INVALID, DENIED)),
        ("false", READY, (DENIED,)),
    ],
)
def test_the_metric_and_status_agree_wherever_both_can_know(
    enabled: str, secret: ObservedSecret | None, failures: tuple[Failure, ...]
) -> None:
    """The controller knows the failures, `status` the annotations and the clock."""
    metadata = {"name": "team-a", "resourceVersion": "7", "annotations": {"pullkeeper.dev/enabled": enabled}}
    rules = StatusRules(policy=Policy(registries=(EU,)), rotation=ROTATION)
    status = namespace_status(namespace_request(metadata), secret, rules, NOW)
    assert status is not None
    assert status.state is namespace_state(secret, failures, now=NOW, opted_in=enabled != "false")


@pytest.mark.parametrize(("late", "state"), [(0, State.READY), (1, State.FAILING)])
def test_a_renewal_is_late_by_more_than_a_fiftieth_of_the_lifetime(late: int, state: State) -> None:
    """14 minutes and 24 seconds of 12 hours."""
    issued = NOW - 6 * HOUR - timedelta(minutes=14, seconds=24 + late)
    metadata = {"name": "team-a", "resourceVersion": "7", "annotations": {"pullkeeper.dev/enabled": "true"}}
    rules = StatusRules(policy=Policy(registries=(EU,)), rotation=ROTATION)
    status = namespace_status(namespace_request(metadata), managed(published(EU, issued=issued)), rules, NOW)
    assert status is not None
    assert status.state is state


def test_the_controller_never_sees_what_only_status_shows() -> None:
    """A namespace that is going or does not exist is not counted."""
    assert {not_found("x").state, State.OTHER_CLASS, State.TERMINATING} == STATUS_ONLY


def test_a_lost_opt_in_comes_before_the_secrets_condition() -> None:
    """Unlike a mistake in the annotations, which its owner can correct now."""
    assert namespace_state(EXPIRING, (DENIED,), now=NOW, opting_out=True) is State.OPTING_OUT
    assert namespace_state(READY, (INVALID,), now=NOW, opting_out=True) is State.MISCONFIGURED
