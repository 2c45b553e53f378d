"""The Secret of one shape in one namespace, the pull Secret above all: observe, plan, act."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.backoff import LONGEST_RETRY
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, foreign_secret_failure
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import (
    NOBODY_KNOWN,
    Apply,
    Cause,
    Conflict,
    Delete,
    NoOp,
    Priority,
    Step,
    change,
    plan,
)
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.repairs import writer_hint
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.secret.shapes import SecretShape
from pullkeeper.domain.secret.undone_writes import UndoneWrites
from pullkeeper.reconcile.caches import Reader, ResourceCache
from pullkeeper.reconcile.desired_states import Requested
from pullkeeper.reconcile.identities import Identities
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords, RefreshRequest
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.together import all_of
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_cache import TokenResult
from pullkeeper.tokens.token_revalidator import PublishedToken

_SHORTEST_REQUEUE = timedelta(seconds=1)
"""The shortest wait before a token that could not be replaced is reconciled again."""
_REQUEUES = 10
"""Reconcile about this many times in the remaining life of a token that could not be replaced."""


class Namespaces(Reader[ObservedNamespace], Protocol):
    """The observed Namespaces."""

    async def confirm(self, name: str, version: int) -> None:
        """Make sure that a Namespace is still as known, where a Secret of it has this version.

        Raises FailureError, StaleObservationError or NamespaceGoneError.
        """


class PullSecretClient(Protocol):
    """Writes pull Secrets.

    Each method raises FailureError, StaleObservationError or NamespaceGoneError, having written nothing.
    """

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Create the pull Secret, or change exactly the one that was observed."""
        ...

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        """Delete exactly the Secret that was observed."""
        ...

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        """Read the entries of the pull Secret."""
        ...


class Tokens(Protocol):
    """Where tokens come from."""

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],
        requester: Requester,
        *,
        not_before: datetime | None = None,
    ) -> TokenResult:
        """Return the best token to be had, and which of these registries must not get it."""
        ...

    def revoked(
        self, namespace: str, identities: Mapping[RegistryHost, Identity], record: SecretRecord
    ) -> frozenset[RegistryHost]:
        """Return the registries that are known to refuse what a namespace's Secret holds for them."""
        ...


class Desired(Protocol):
    """What the Secret of each namespace should hold."""

    def applies_to(self, namespace: ObservedNamespace) -> bool:
        """Return whether a namespace may be asking for one."""
        ...

    def of(self, namespace: ObservedNamespace | None, secret: ObservedSecret | None) -> Requested:
        """Return what is requested."""
        ...


class Reports(Protocol):
    """Where what happens to the Secrets of one shape is reported."""

    @property
    def shape(self) -> SecretShape:
        """Which shape that is."""
        ...

    def observe_write(self, operation: str, name: str) -> AbstractContextManager[None]:
        """Count a write of a Secret by its outcome."""
        ...

    def report_write(
        self, name: str, record: NamespaceRecord, cause: Cause, secret: ObservedSecret, *, contested: bool
    ) -> None:
        """Report that a Secret was written; `contested` says that somebody keeps undoing that."""

    def report_principal(
        self, name: str, record: NamespaceRecord, before: ObservedSecret | None, after: ObservedSecret
    ) -> None:
        """Report that a Secret has tokens of another principal now."""

    def report_deletion(self, name: str, record: NamespaceRecord, secret: ObservedSecret) -> None:
        """Report that a Secret was deleted because it is not requested any more."""


class Reconciler:
    """Brings the Secret of one shape in a namespace to what the namespace requests, one step at a time."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        secrets: ResourceCache[ObservedSecret],
        client: PullSecretClient,
        tokens: Tokens,
        identities: Identities,
        records: NamespaceRecords,
        reporter: Reports,
        rotation: Rotation,
        clock: Callable[[], datetime],
        desired_states: Desired,
        waiting: Callable[[str], AbstractAsyncContextManager[None]],
    ) -> None:
        """`waiting` lets others go on while a namespace waits for its tokens."""
        self._namespaces = namespaces
        self._secrets = secrets
        self._client = client
        self._tokens = tokens
        self._identities = identities
        self._records = records
        self._reporter = reporter
        self._rotation = rotation
        self._clock = clock
        self._desired_states = desired_states
        self._waiting = waiting
        self._shape = reporter.shape

    def priority(self, name: str) -> Priority:
        """Return the priority of a namespace: NEW while it requests a Secret and has none."""
        namespace = self._namespaces.get(name)
        waits = namespace is not None and self._secrets.get(name) is None and self._desired_states.applies_to(namespace)
        return Priority.NEW if waits else Priority.ROTATION

    def published(self) -> Iterator[PublishedToken]:
        """Return the tokens that pull Secrets hold as requested: all others are about to be replaced or deleted."""
        for secret in self._secrets.items():
            namespace, current = self._namespaces.get(secret.namespace), secret.as_of(self._clock())
            desired = self._desired_states.of(namespace, current).desired
            record = current.record if current.intact else None
            if desired and record:
                identities = self._identities.known(secret.namespace, desired.identities)
                for host in sorted(
                    self._as_requested(record, secret.namespace, desired) - self._revoked(desired, current)
                ):
                    yield PublishedToken(
                        namespace=secret.namespace,
                        scope=TokenScope.of(host, identities[host]),
                        host=host,
                        validity=record.held[host],
                    )

    def _as_requested(self, record: SecretRecord, name: str, desired: DesiredState) -> set[RegistryHost]:
        """Return the registries with a token of the desired identity, and of the principal that is behind it now."""
        current = self._identities.current_principals(name, desired.identities)
        return {
            host
            for host, identity in desired.identity_names.items()
            if record.identities.get(host) == identity and not record.is_of_another(identity, current[identity].name)
        }

    async def reconcile(self, name: str) -> Result:
        """Take the one next step for a namespace.

        Raises StaleObservationError if something has changed meanwhile, NamespaceGoneError if the namespace takes no
        Secret any more, and NotLeadingError if this replica may not write.
        """
        namespace, secret = self._namespaces.get(name), self._secrets.get(name)
        secret = secret.as_of(self._clock()) if secret else None
        requested = self._desired_states.of(namespace, secret)
        if requested.is_left:
            return Result(requeue_at=requested.delete_at)
        step = NoOp() if requested.is_frozen else self._plan(namespace, requested.desired, secret)
        result = await self._take(name, step, requested, secret)
        if requested.delete_at is not None:
            result = result.until(requested.delete_at)
        return self._contested(name, result) if namespace and not namespace.terminating else result

    def _contested(self, name: str, result: Result) -> Result:
        """Add that somebody keeps undoing what is written, until that is over."""
        undone = self._undone(name)
        if not undone.repairs.is_contested(self._clock()):
            return result
        return replace(
            result,
            status=result.status or Status(secret=None, opted_in=False),
            failures=(*result.failures, undone.failure(name, self._shape.noun)),
            requeue_at=min(filter(None, (result.requeue_at, undone.repairs.forgotten_at))),
        )

    async def _take(self, name: str, step: Step, requested: Requested, secret: ObservedSecret | None) -> Result:
        match step:
            case Apply() | Delete() if at := self._undone(name).resume_at(step, self._clock()):
                opted_in = isinstance(step, Apply)
                status = Status(secret=secret, opted_in=opted_in)
                return Result(status=status, failures=requested.failures, requeue_at=at)
            case Apply():
                return await self._apply(name, step, requested.failures)
            case Delete():
                return await self._delete(name, step)
            case Conflict():
                return Result(status=Status(secret=secret), failures=(self._foreign(name, secret),))
            case NoOp() if not (requested.desired or requested.is_frozen or requested.failures):
                return Result(requeue_at=step.until)
            case NoOp():
                return Result(status=Status(secret=secret), failures=requested.failures, requeue_at=step.until)

    def _plan(
        self, namespace: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None
    ) -> Step:
        return plan(
            namespace=namespace,
            desired=desired,
            secret=secret,
            now=self._clock(),
            rotation=self._rotation,
            revoked=bool(desired and secret and self._revoked(desired, secret)),
            current_principals=self._identities.current_principals(namespace.name, desired.identities)
            if namespace and desired
            else NOBODY_KNOWN,
        )

    def _revoked(self, desired: DesiredState, secret: ObservedSecret) -> frozenset[RegistryHost]:
        identities = self._identities.known(secret.namespace, desired.identities)
        return self._tokens.revoked(secret.namespace, identities, secret.record) if secret.record else entries.NO_HOSTS

    async def _apply(self, name: str, step: Apply, invalid: tuple[Failure, ...]) -> Result:
        record, failures = self._records.get(name), invalid
        try:
            tokens, results = await self._get_tokens(name, record, step)
            failures = (*invalid, *(result.failure for result in results if result.failure))
            written = await self._write(name, record, step, self._plan_entries(step, tokens, results))
        except FailureError as error:
            return Result(status=Status(secret=step.secret), failures=(*failures, error.failure), error=error)
        secret = written or step.secret
        requeue_at = self._requeue_at(step.desired, name, secret, results)
        # A rotation begins with all that is desired; comparing it again would cost each of thousands.
        is_rotation = step.cause is Cause.ROTATED
        outdated = bool(not is_rotation and secret and secret.record and change(step.desired, secret.record))
        return Result(status=Status(secret=secret, outdated=outdated), failures=failures, requeue_at=requeue_at)

    async def _get_tokens(
        self, name: str, record: NamespaceRecord, step: Apply
    ) -> tuple[Mapping[RegistryHost, Token], Sequence[TokenResult]]:
        """Get a token for each scope; return them by registry, and what became of each scope.

        Identities are looked up first, because their names are not enough.
        """
        not_before = self._fresh_since(record, step)
        requester = Requester(namespace=name, first=step.secret is None)
        # Namespaces whose regions or registries hang take no slot of the others.
        async with self._waiting(name):
            identities = await self._identities.look_up(requester, step.desired.identities)
            hosts = entries.hosts_by_scope(identities)
            results = await all_of(
                [self._get_token(step, scope, own, requester, not_before) for scope, own in hosts.items()]
            )
        found = zip(hosts.values(), results, strict=True)
        return {host: result.token for own, result in found if result.token for host in own}, results

    async def _get_token(
        self,
        step: Apply,
        scope: TokenScope,
        hosts: Sequence[RegistryHost],
        requester: Requester,
        not_before: datetime | None,
    ) -> TokenResult:
        """Get a token; where a registry refuses it and keeps an entry that is about to expire, a younger one.

        A token that other registries accept is not replaced before it is due: it may be the one registry. Yet it may
        have been revoked after they had accepted it. So it is fetched anew for the entries that would expire: once.
        """
        result = await self._tokens.get(scope, hosts, requester, not_before=not_before)
        urgent = self._urgent_since(step, result)
        if urgent is None:
            return result
        return await self._tokens.get(scope, hosts, requester, not_before=max(urgent, not_before or urgent))

    def _urgent_since(self, step: Apply, result: TokenResult) -> datetime | None:
        """Return since when it has been urgent to replace an entry for which the token was refused, if it is."""
        if result.failure is None or result.failure.reason is not Reason.REGISTRY_REJECTED:
            return None
        held, now = step.secret.record.held if step.secret and step.secret.record else {}, self._clock()
        moments = [self._rotation.urgent_since(held[host], now) for host in result.excluded if host in held]
        return max(filter(None, moments), default=None)

    def _fresh_since(self, record: NamespaceRecord, step: Apply) -> datetime | None:
        """Return since when a fresh token is requested: when the new refresh request was first seen.

        The value that a first Secret is created with requests nothing more than a token. One that comes while there is
        still none does, so that whoever has fixed something need not wait for the next retry.
        """
        value, held = step.desired.refresh_requested_at, step.secret.record if step.secret else None
        if held is not None and held.refresh_requested_at == value:
            return None
        if record.refresh is None or record.refresh.value != value:
            is_new = value is not None and (record.refresh is not None or held is not None)
            record.refresh = RefreshRequest(value=value, requested_at=self._clock() if is_new else None)
        return record.refresh.requested_at

    def _plan_entries(
        self, step: Apply, tokens: Mapping[RegistryHost, Token], results: Sequence[TokenResult]
    ) -> EntryPlan:
        return entries.plan_entries(
            step.desired,
            step.secret,
            tokens,
            complete=not any(result.retry_at for result in results),
            excluded=entries.NO_HOSTS.union(*(result.excluded for result in results)),
            revoked=self._revoked(step.desired, step.secret) if step.secret else entries.NO_HOSTS,
        )

    async def _write(
        self, name: str, record: NamespaceRecord, step: Apply, entry_plan: EntryPlan
    ) -> ObservedSecret | None:
        """Write the Secret; return None if there is nothing to write."""
        if entry_plan.kept and not entry_plan.needs_write:
            return None  # without reading what is kept; where nothing is, `build_secret` says the same
        auths = await self._client.read_auths(name) if entry_plan.kept else {}
        content = entries.build_secret(entry_plan, auths)
        if content is None:
            return None
        with self._reporter.observe_write(step.cause, name):
            written = await self._client.apply(name, content, step.secret)
        self._secrets.record_write(written)
        record.undone[self._shape.name] = undone = self._undone(name).after(step, written, self._clock())
        contested = undone.repairs.is_contested(self._clock())
        self._reporter.report_write(name, record, step.cause, written, contested=contested)
        self._reporter.report_principal(name, record, step.secret, written)
        return written

    async def _delete(self, name: str, step: Delete) -> Result:
        secret, record = step.secret, self._records.get(name)
        try:
            await self._namespaces.confirm(name, secret.resource_version)
            with self._reporter.observe_write("delete", name):
                await self._client.delete(name, secret)
        except FailureError as error:
            return Result(status=Status(secret=secret, opted_in=False), failures=(error.failure,), error=error)
        self._secrets.record_delete(secret)
        undone = self._undone(name)
        once_more = undone.undoes(step)
        record.undone[self._shape.name] = undone.after(step, None, self._clock())
        if not once_more:
            self._reporter.report_deletion(name, record, secret)
        return Result()

    def _requeue_at(
        self, desired: DesiredState, name: str, secret: ObservedSecret | None, results: Sequence[TokenResult]
    ) -> datetime:
        """Return when the next token is to be rotated, or one that failed may be fetched again."""
        now = self._clock()
        validities = secret.record.validities_but(desired.refused) if secret and secret.record else ()
        refreshes = [self._rotation.refresh_at_for(name, validity) for validity in validities]
        # A retry may be overdue already, because a token of another region took long.
        retries = [max(result.retry_at, now) for result in results if result.retry_at]
        times = [*(at for at in refreshes if at > now), *retries]
        if validities and not retries and min(refreshes) <= now:
            # AWS gave no better token than the one that is there: ask more often the less of its life is left.
            left = min(validity.expires_at for validity in validities) - now
            times.append(now + max(left / _REQUEUES, _SHORTEST_REQUEUE))
        if secret and secret.record and not retries and self._differs_from_watch(name, desired, secret.record):
            times.append(now + LONGEST_RETRY)
        return min(times, default=now + LONGEST_RETRY)

    def _differs_from_watch(self, name: str, desired: DesiredState, record: SecretRecord) -> bool:
        """Whether a ServiceAccount was read as another than its watch has told: one of them is behind."""
        accounts = {host: each for host, each in desired.identities.items() if each.kind is Kind.SERVICE_ACCOUNT}
        current = self._identities.current_principals(name, accounts)
        return any(record.is_of_another(identity, each.name) for identity, each in current.items())

    def _undone(self, name: str) -> UndoneWrites:
        return self._records.get(name).undone_of(self._shape.name)

    def _foreign(self, name: str, secret: ObservedSecret | None) -> Failure:
        """Return the failure for a Secret that is not ours, or not any more."""
        failure = foreign_secret_failure(name, self._shape.called)
        if secret is None or not secret.written:
            return failure
        return replace(failure, detail=f"it was ours until its label was taken off; {writer_hint(secret.writer)}")
