"""The Secrets of other shapes beside the pull Secret of a namespace: which are wanted, and how they are reconciled."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.errors.backoff import retry_delay
from pullkeeper.domain.errors.failures import FailureError, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.domain.secret.shapes import SecretShape
from pullkeeper.reconcile.caches import Reader, ResourceCache
from pullkeeper.reconcile.desired_states import DesiredStates, Requested
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import WRITES, StatusReporter, content_of
from pullkeeper.reconcile.together import all_ended
from pullkeeper.reconcile.worker import SupportsReconcile

logger = logging.getLogger(__name__)


class AdditionalDesiredStates:
    """What one additional Secret should hold: what the pull Secret should hold for its registry."""

    def __init__(
        self,
        secret: AdditionalSecret,
        desired_states: DesiredStates,
        *,
        pull_secrets: Reader[ObservedSecret],
        records: NamespaceRecords,
        clock: Callable[[], datetime],
        grace: timedelta,
    ) -> None:
        """For `grace`, a namespace that the settings do not select any more keeps its Secret: that may be a slip."""
        self._secret = secret
        self._desired_states = desired_states
        self._pull_secrets = pull_secrets
        self._records = records
        self._clock = clock
        self._grace = grace

    def applies_to(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace may be asking for it."""
        return self._secret.namespaces.matches(namespace) and self._desired_states.applies_to(namespace)

    def of(self, namespace: ObservedNamespace | None, secret: ObservedSecret | None) -> Requested:
        """Return what is requested; the failures are those of the pull Secret, and reported with it."""
        if namespace is None:
            return Requested()
        is_selected = self._secret.namespaces.matches(namespace)
        if is_selected or secret is None:
            self._records.get(namespace.name).deselected_at.pop(self._secret.name, None)
        if not (is_selected or secret):
            return Requested()
        pull_secret = self._pull_secrets.get(namespace.name)
        requested = self._desired_states.of(namespace, pull_secret.as_of(self._clock()) if pull_secret else None)
        if self._records.get(namespace.name).of_another_class:
            return self._desired_states.left(namespace, secret)
        if requested.is_frozen or requested.desired is None:
            return replace(requested, failures=())
        if not is_selected:
            # It waits as it is: the admission fence lets nobody renew it here.
            delete_at = self._delete_at(namespace)
            return Requested(delete_at=delete_at, is_frozen=delete_at is not None)
        # What is left of an identity that may not be used any more waits as it is.
        is_frozen = self._secret.registry in requested.desired.refused
        return Requested(desired=requested.desired.limited_to(self._secret.registry), is_frozen=is_frozen)

    def _delete_at(self, namespace: ObservedNamespace) -> datetime | None:
        """Return when the grace of the Secret in a namespace that is not selected ends; None if it is over."""
        now = self._clock()
        deselected_at = self._records.get(namespace.name).deselected_at.setdefault(self._secret.name, now)
        delete_at = deselected_at + self._grace
        return delete_at if now < delete_at else None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdditionalReports:
    """Reports what happens to one additional Secret, by its name; a rotation is routine."""

    shape: SecretShape
    reporter: StatusReporter

    def observe_write(self, operation: str, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 -- the protocol's
        """Count a write by its outcome."""
        return self.reporter.count_write(operation)

    def report_write(
        self, name: str, record: NamespaceRecord, cause: Cause, secret: ObservedSecret, *, contested: bool
    ) -> None:
        """Report that the Secret was written."""
        if contested or cause is Cause.ROTATED:
            logger.debug("namespace/%s: Secret %s: %s", name, self.shape.name, cause, extra={"namespace": name})
            return
        reason, what = WRITES[cause]
        self.reporter.report_event(name, record, reason, f"Secret {self.shape.name} {what}{content_of(secret)}", secret)

    def report_principal(
        self, name: str, record: NamespaceRecord, before: ObservedSecret | None, after: ObservedSecret
    ) -> None:
        """Report nothing: that was said of the pull Secret."""

    def report_deletion(self, name: str, record: NamespaceRecord, secret: ObservedSecret) -> None:
        """Report that the Secret was deleted because it is not requested any more."""
        note = f"Secret {self.shape.name} deleted: it is not requested any more"
        self.reporter.report_event(name, record, EventReason.PULL_SECRET_DELETED, note, secret)


@dataclass(frozen=True, kw_only=True, slots=True)
class Additional:
    """One additional Secret of the installation: what is observed of it, and what reconciles it."""

    name: str
    secrets: ResourceCache[ObservedSecret]
    reconciler: SupportsReconcile


class SecretsReconciler:
    """Reconciles the pull Secret of a namespace, then all additional ones at once; none of them holds up another."""

    def __init__(
        self,
        pull_secret: SupportsReconcile,
        additional: Sequence[Additional],
        *,
        records: NamespaceRecords,
        clock: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self._pull_secret = pull_secret
        self._additional = additional
        self._records = records
        self._clock = clock
        self._rng = rng

    async def reconcile(self, name: str) -> Result:
        """Take the one next step for each Secret; the error is that of the pull Secret.

        Raises NamespaceGoneError and NotLeadingError, as the reconciler of the pull Secret does.
        """
        first = await _attempt(self._pull_secret, name)
        # Before it is listed, every Secret would seem not to be there.
        listed = [each for each in self._additional if each.secrets.has_synced(name)]
        others = await all_ended(self._reconcile_additional(each, name) for each in listed)
        results = (first, *others)
        return Result(
            status=self._status(name, first, others),
            failures=tuple(dict.fromkeys(chain.from_iterable(result.failures for result in results))),
            requeue_at=min(filter(None, (result.requeue_at for result in results)), default=None),
            error=first.error,
        )

    async def _reconcile_additional(self, additional: Additional, name: str) -> Result:
        """Reconcile an additional Secret; what stops it is retried with a backoff of its own."""
        result = await _attempt(additional.reconciler, name)
        attempts = self._records.get(name).failed_attempts_of
        if result.error is None:
            attempts.pop(additional.name, None)
            return result
        attempts[additional.name] = attempt = attempts.get(additional.name, 0) + 1
        requires_action = isinstance(result.error, FailureError) and result.error.failure.reason.requires_action
        delay = retry_delay(attempt, self._rng.random(), requires_action=requires_action)
        return replace(result, error=None, requeue_at=self._clock() + delay)

    def _status(self, name: str, first: Result, others: Sequence[Result]) -> Status | None:
        """Return the status with the additional Secrets; there is one while one of them cannot be deleted."""
        status = first.status
        if status is None and (self._records.get(name).failed_attempts_of or any(each.status for each in others)):
            status = Status(secret=None, opted_in=False)
        return replace(status, others=tuple(self._held(name))) if status else None

    def _held(self, name: str) -> Iterator[ObservedSecret]:
        found = (each.secrets.get(name) for each in self._additional)
        yield from (secret for secret in found if secret and secret.managed)


async def _attempt(reconciler: SupportsReconcile, name: str) -> Result:
    try:
        return await reconciler.reconcile(name)
    except StaleObservationError as error:
        return Result(error=error)
