"""The Secrets of other shapes beside the pull Secret of a namespace: which are wanted, and how they are reconciled."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.errors.failures import StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.domain.secret.shapes import SecretShape
from pullkeeper.reconcile.caches import Reader, ResourceCache
from pullkeeper.reconcile.desired_states import DesiredStates, Requested
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.status_reporter import WRITES, StatusReporter, content_of
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
        pull_secret = self._pull_secrets.get(namespace.name)
        requested = self._desired_states.of(namespace, pull_secret.as_of(self._clock()) if pull_secret else None)
        if self._records.get(namespace.name).of_another_class:
            return self._desired_states.left(namespace, secret)
        if requested.is_frozen or requested.desired is None:
            return replace(requested, failures=())
        is_selected = self._secret.namespaces.matches(namespace)
        if is_selected or secret is None:
            self._records.get(namespace.name).deselected_at.pop(self._secret.name, None)
        if not is_selected:
            # It waits as it is: the admission fence lets nobody renew it here.
            delete_at = self._delete_at(namespace) if secret else None
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


Additional = tuple[ResourceCache[ObservedSecret], SupportsReconcile]
"""What is observed of an additional Secret, and what reconciles it."""


class SecretsReconciler:
    """Reconciles the pull Secret of a namespace and then each additional one; none of them holds up another."""

    def __init__(self, pull_secret: SupportsReconcile, additional: Sequence[Additional]) -> None:
        self._pull_secret = pull_secret
        self._additional = additional

    async def reconcile(self, name: str) -> Result:
        """Take the one next step for each Secret; the first error is that of the result.

        Raises NamespaceGoneError and NotLeadingError, as the reconciler of the pull Secret does.
        """
        first = await self._attempt(self._pull_secret, name)
        results = [first]
        for cache, reconciler in self._additional:
            # Before it is listed, every Secret would seem not to be there.
            if cache.has_synced(name):
                results.append(await self._attempt(reconciler, name))
        errors = [result.error for result in results if result.error]
        return Result(
            status=replace(first.status, others=tuple(self._held(name))) if first.status else None,
            failures=tuple(dict.fromkeys(chain.from_iterable(result.failures for result in results))),
            requeue_at=min(filter(None, (result.requeue_at for result in results)), default=None),
            error=errors[0] if errors else None,
        )

    def _held(self, name: str) -> Iterator[ObservedSecret]:
        found = (cache.get(name) for cache, _ in self._additional)
        yield from (secret for secret in found if secret and secret.managed)

    @staticmethod
    async def _attempt(reconciler: SupportsReconcile, name: str) -> Result:
        try:
            return await reconciler.reconcile(name)
        except StaleObservationError as error:
            return Result(error=error)
