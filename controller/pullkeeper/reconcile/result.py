"""What a reconciler returns."""

from dataclasses import dataclass, replace
from datetime import datetime

from pullkeeper.domain.errors.failures import Failure, FailureError, StaleObservationError
from pullkeeper.domain.secret.observed_secret import ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A namespace for which a pull Secret is requested, or whose pull Secret cannot be deleted."""

    secret: ObservedSecret | None
    """The Secret of the pull Secret's name, ours or not."""
    opted_in: bool = True
    outdated: bool = False
    """Something else is requested than what it holds, though nothing has failed: a token takes long."""
    opting_out: bool = False
    """The settings have lost the opt-in, and the pull Secret is about to be deleted."""
    others: tuple[ObservedSecret, ...] = ()
    """The additional Secrets of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Outcome of one reconciliation of one namespace, for the worker to report and to requeue."""

    status: Status | None = None
    """None where there is nothing to report but failures; a namespace without any status is dropped."""
    failures: tuple[Failure, ...] = ()
    """Everything that is wrong, `error` included."""
    requeue_at: datetime | None = None
    """When to reconcile again; None is only when something changes. With an `error`, for what it has not stopped."""
    error: FailureError | StaleObservationError | None = None
    """What stopped the reconciliation: it is retried with backoff. After StaleObservationError none follows before."""

    def until(self, delete_at: datetime) -> "Result":
        """Return it for a namespace whose pull Secret is to be deleted at this time."""
        status = replace(self.status, opting_out=True) if self.status else None
        return replace(self, status=status, requeue_at=min(filter(None, (self.requeue_at, delete_at))))
