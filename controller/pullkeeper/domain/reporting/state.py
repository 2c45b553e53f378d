"""The state of a namespace: one enumeration for the metrics, `pullkeeper status` and the documents.

`namespace_state` gives the controller's view, `domain.views.namespace_status` the view from outside. Both apply the
same order: annotations, opt-in, ownership, readability, expiry, renewal, contents.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from pullkeeper.domain.errors.failures import OWNER_REASONS, Failure, Reason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord

_EXPIRING_SHARE = 16
"""A token is expiring in this last part (a sixteenth) of its lifetime: the last 45 minutes of 12 hours."""


class State(StrEnum):
    """State of a namespace that requests a pull Secret or still has one.

    The metric `pullkeeper_namespaces` counts every state except `STATUS_ONLY`; `status` shows all of them.
    """

    READY = "ready"
    """The pull Secret matches the annotations and is renewed in time."""
    PENDING = "pending"
    """There is no pull Secret yet."""
    OUTDATED = "outdated"
    """The pull Secret does not match the annotations yet, or has been edited and not been repaired.

    The controller counts such a namespace as `failing` as soon as an attempt to write it has failed; `status` cannot
    see attempts, and shows `outdated` until renewal is overdue.
    """
    FAILING = "failing"
    """The pull Secret cannot be renewed.

    The controller knows from the failure itself. `status` knows from the time: renewal is overdue by a fiftieth of the
    token's lifetime (15 minutes of 12 hours), which it can tell only with `--config`.
    """
    EXPIRING = "expiring"
    """A token in the pull Secret is in the last sixteenth of its lifetime and has not been replaced."""
    EXPIRED = "expired"
    """A token in the pull Secret has expired: image pulls fail."""
    CORRUPT = "corrupt"
    """The pull Secret's annotations cannot be read, so nobody knows what it contains."""
    MISCONFIGURED = "misconfigured"
    """The namespace's annotations are invalid, or request what the settings do not allow.

    The controller also counts a request for attachment here where the installation does not touch ServiceAccounts.
    """
    CONFLICT = "conflict"
    """A Secret with the pull Secret's name exists and is not managed by Pullkeeper.

    The controller also counts a pull Secret of ours here that cannot be changed.
    """
    CONTESTED = "contested"
    """Somebody keeps undoing what is written to the pull Secret.

    The controller alone can tell; `status` shows what it finds at the moment, and the controller's warning.
    """
    OPTING_OUT = "opting_out"
    """The settings do not opt the namespace in any more; its pull Secret is deleted when `optOutGrace` has passed."""
    ORPHANED = "orphaned"
    """The namespace is not opted in, and its pull Secret has not been deleted, or only additional Secrets are left."""
    OTHER_CLASS = "other_class"
    """The namespace is of a class that another installation serves, if any. Shown by `status` only."""
    TERMINATING = "terminating"
    """The namespace is being deleted. Shown by `status` only: the controller drops such a namespace."""
    NOT_FOUND = "not_found"
    """The namespace is named by `-n` or `watchNamespaces` and does not exist. Shown by `status` only."""


STATUS_ONLY = frozenset({State.OTHER_CLASS, State.TERMINATING, State.NOT_FOUND})
"""States that only `status` shows; the metric has no series for them."""


def namespace_state(
    secret: ObservedSecret | None,
    failures: tuple[Failure, ...],
    *,
    now: datetime,
    opted_in: bool = True,
    outdated: bool = False,
    opting_out: bool = False,
) -> State:
    """Return the state after a reconcile that ended with `failures`; `secret` may be a foreign one.

    `outdated` says that something else is requested than what an intact pull Secret holds.
    """
    reasons = {failure.reason for failure in failures}
    if reasons & OWNER_REASONS:
        return State.MISCONFIGURED
    contested = State.CONTESTED if Reason.WRITES_REVERTED in reasons else None
    if opting_out or not opted_in:
        return contested or (State.OPTING_OUT if opting_out else State.ORPHANED)
    if Reason.SECRET_CONFLICT in reasons or (secret and not secret.managed):
        return State.CONFLICT
    if secret is None or secret.record is None:
        return contested or (State.CORRUPT if secret else State.PENDING)
    renewable = State.FAILING if reasons else (State.OUTDATED if outdated or not secret.intact else State.READY)
    return expiry_state(secret.record, now) or contested or renewable


def expiry_state(record: SecretRecord, now: datetime) -> State | None:
    """Return EXPIRED or EXPIRING by the token that expires first; None while enough of its lifetime is left."""
    first = min(record.validities, key=lambda validity: validity.expires_at)
    left = first.expires_at - now
    if left <= timedelta():
        return State.EXPIRED
    lifetime = first.expires_at - first.issued_at
    return State.EXPIRING if left < lifetime / _EXPIRING_SHARE else None
