"""How a namespace that asks for a pull Secret stands."""

from enum import StrEnum

from pullkeeper.domain.errors.failures import OWNER_REASONS, Failure, Reason
from pullkeeper.domain.secret.observed_secret import ObservedSecret


class State(StrEnum):
    """The states, as the metrics count them and `pullkeeper status` shows them."""

    READY = "ready"
    PENDING = "pending"
    """No Secret yet."""
    FAILING = "failing"
    """There is one, and it could not be renewed."""
    MISCONFIGURED = "misconfigured"
    """The annotations are wrong, or ask for what the settings do not allow."""
    CONFLICT = "conflict"
    """A Secret of the name is there and is somebody else's."""


def state_of(ours: ObservedSecret | None, failures: tuple[Failure, ...]) -> State:
    """Tell the state by our Secret, if there is one, and by what has failed: what somebody can mend counts first."""
    reasons = {failure.reason for failure in failures}
    if reasons & OWNER_REASONS:
        return State.MISCONFIGURED
    if Reason.SECRET_CONFLICT in reasons:
        return State.CONFLICT
    if ours is None:
        return State.PENDING
    return State.FAILING if reasons else State.READY
