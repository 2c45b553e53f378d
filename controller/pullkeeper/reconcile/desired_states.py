"""What each namespace's pull Secret should hold now: as requested, or frozen at what was last valid."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.judgement import Judgement, judge
from pullkeeper.domain.secret.left_secret import delete_left_at
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import fallback_state
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords


@dataclass(frozen=True, kw_only=True, slots=True)
class Requested:
    """What is requested for a namespace, as far as it can be told."""

    desired: DesiredState | None = None
    failures: tuple[Failure, ...] = ()
    delete_at: datetime | None = None
    """Until then an opt-in that the settings have lost is waited for."""
    is_frozen: bool = False
    """Nothing is known to be desired, and yet nothing may be deleted."""
    is_left: bool = False
    """The namespace is of another class: nothing is done or reported until `delete_at`, if there is one."""


class DesiredStates:
    """Judges namespaces by the policy in force, and remembers what they last requested."""

    def __init__(
        self,
        records: NamespaceRecords,
        policy: Callable[[], Policy],
        *,
        clock: Callable[[], datetime],
        opt_out_grace: timedelta,
        on_opt_in_lost: Callable[[], None],
        attach_service_accounts: bool,
        installation: str,
    ) -> None:
        self._records = records
        self._policy = policy
        self._clock = clock
        self._opt_out_grace = opt_out_grace
        self._on_opt_in_lost = on_opt_in_lost
        self._attach_service_accounts = attach_service_accounts
        self._installation = installation

    def applies_to(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace has annotations of ours, or is opted in by the policy in force."""
        return self._policy().applies_to(namespace)

    def of(self, namespace: ObservedNamespace | None, secret: ObservedSecret | None) -> Requested:
        """Return what is requested; while that cannot be told, an existing Secret is kept up as it is."""
        if namespace is None:
            return Requested()
        policy, record = self._policy(), self._records.get(namespace.name)
        judgement = self._judge(namespace, secret, policy, record)
        delete_at = self._delete_at(record, lost=judgement.opt_in_lost)
        record.of_another_class = judgement.of_another_class
        if judgement.of_another_class:
            record.last_valid = None
            return self.left(namespace, secret)
        failures = (_failure(namespace, judgement.error),) if judgement.error else ()
        if policy.excludes(namespace):
            # The pull Secret waits as it is: the admission fence lets nobody renew it here.
            return Requested(failures=failures, delete_at=delete_at, is_frozen=delete_at is not None)
        if judgement.error or delete_at:
            fallback = fallback_state(namespace, secret, policy, record.last_valid)
            if fallback and not fallback.refused:
                record.last_valid = fallback
            return Requested(desired=fallback, failures=failures, delete_at=delete_at, is_frozen=fallback is None)
        record.last_valid = judgement.desired
        return Requested(desired=judgement.desired, failures=judgement.ignored)

    def _judge(
        self, namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy, record: NamespaceRecord
    ) -> Judgement:
        """Judge a namespace once for all of its Secrets and rotations, as long as the answer is a desired state.

        Of the Secret that depends on nothing but the class.
        """
        held = secret.installation_class if secret else None
        match record.judged:
            case (known, under, of_class, judgement) if known is namespace and under is policy and of_class == held:
                return judgement
        judgement = judge(namespace, secret, policy, attaches=self._attach_service_accounts)
        record.judged = (namespace, policy, held, judgement) if judgement.desired else None
        return judgement

    def left(self, namespace: ObservedNamespace, secret: ObservedSecret | None) -> Requested:
        """Return when to delete what was left in a namespace of another class; from then on, that it is not desired."""
        delete_at = delete_left_at(namespace, secret, self._installation)
        if delete_at is not None and delete_at <= self._clock():
            return Requested()
        return Requested(delete_at=delete_at, is_left=True)

    def _delete_at(self, record: NamespaceRecord, *, lost: bool) -> datetime | None:
        """Return when the grace of a lost opt-in ends; None if none was lost, or if it is over.

        It begins when this replica first acts on the loss: as a follower it may have known older settings for hours.
        """
        if lost or record.opt_in_lost_at:
            self._on_opt_in_lost()
        if not lost:
            record.opt_in_lost_at = None
            return None
        now = self._clock()
        record.opt_in_lost_at = record.opt_in_lost_at or now
        delete_at = record.opt_in_lost_at + self._opt_out_grace
        return delete_at if now < delete_at else None


def _failure(namespace: ObservedNamespace, error: ValueError | FailureError) -> Failure:
    if isinstance(error, FailureError):
        return error.failure
    return Failure(reason=Reason.INVALID_ANNOTATION, message=f"namespace/{namespace.name}: {error}")
