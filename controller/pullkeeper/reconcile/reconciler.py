"""Observe, plan, act, for one namespace."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.backoff import LONGEST_RETRY
from pullkeeper.domain.errors.failures import Failure, FailureError, NamespaceGoneError, Reason, foreign_secret_failure
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state, ignored_annotations
from pullkeeper.domain.secret.entries import EntryPlan
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Apply, Cause, Conflict, Delete, NoOp, Priority, Step, fallback_state, plan
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.tokens.token_cache import TokenResult

_SOON = timedelta(seconds=1)
"""The shortest pause between two looks at a token that could not be replaced."""
_LOOKS = 10
"""So many looks are taken in what is left of the life of a token that could not be replaced."""


class Namespaces(Protocol):
    """The Namespaces as they were last seen."""

    def get(self, name: str) -> ObservedNamespace | None:
        """Give the one of this name."""
        ...

    def asking_since(self, name: str) -> datetime | None:
        """Tell when it was first seen to ask for a Secret."""
        ...


class Secrets(Protocol):
    """The Secrets of our name as they were last seen."""

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give the one of this namespace."""
        ...

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:
        """Take note of our own write before the watch brings it."""
        ...


class Cluster(Protocol):
    """The writes. Each raises FailureError, StaleObservationError or NamespaceGoneError, having written nothing."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write the pull Secret: anew, or in the place of just the one that was observed."""
        ...

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        """Delete just the Secret that was observed."""
        ...

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        """Read the entries of the pull Secret."""
        ...


class TokenShelf(Protocol):
    """Whoever hands out tokens."""

    async def get(
        self, scope: TokenScope, hosts: Iterable[RegistryHost], *, not_before: datetime | None = None
    ) -> TokenResult:
        """Give the best token that can be had, and tell which of these registries are not to get it."""
        ...

    def revoked(self, record: SecretRecord) -> frozenset[RegistryHost]:
        """Tell which registries refuse by now what a Secret holds for them."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refresh:
    """A value of the `refresh` annotation, and when it was first seen to ask for more than the first token."""

    value: str | None
    seen_at: datetime | None


class Reconciler:
    """Brings the pull Secret of one namespace at a time to what the namespace asks for."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        secrets: Secrets,
        cluster: Cluster,
        tokens: TokenShelf,
        report: StatusReporter,
        policy: Callable[[], Policy],
        rotation: Rotation,
        clock: Callable[[], datetime],
        attaching: bool = False,
    ) -> None:
        self._namespaces = namespaces
        self._secrets = secrets
        self._cluster = cluster
        self._tokens = tokens
        self._report = report
        self._policy = policy
        self._rotation = rotation
        self._clock = clock
        self._attaching = attaching
        self._refreshes: dict[str, _Refresh] = {}

    def priority(self, name: str) -> Priority:
        """Tell the priority of a namespace: the first one while it asks for a Secret and has none."""
        view = self._namespaces.get(name)
        waits = view is not None and self._secrets.get(name) is None and self._policy().applies_to(view)
        return Priority.NEW if waits else Priority.ROTATION

    async def reconcile(self, name: str) -> datetime | None:
        """Take the one next step for a namespace; tells when to look again, None being only when something happens.

        Raises FailureError when the API server could not be used, and StaleObservationError when something has changed
        under our hands, to be called again after a while.
        """
        view, secret = self._namespaces.get(name), self._secrets.get(name)
        desired, invalid = self._wish(view, secret)
        step = self._plan(view, desired, secret) if desired or not invalid else NoOp()
        try:
            match step:
                case Apply():
                    return await self._write(name, step, invalid)
                case Delete():
                    await self._remove(name, step.secret)
                case Conflict():
                    self._report.stands(name, secret, (foreign_secret_failure(name),))
                case NoOp() if view is None or (desired is None and not invalid):
                    self._forget(name)
                case NoOp():
                    self._report.stands(name, secret, invalid)
        except NamespaceGoneError:
            return self._clock() + LONGEST_RETRY
        return step.until if isinstance(step, NoOp) else None

    def _plan(
        self, view: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None
    ) -> Step:
        now, revoked = self._clock(), bool(self._died(secret))
        return plan(namespace=view, desired=desired, secret=secret, now=now, rotation=self._rotation, revoked=revoked)

    def _died(self, secret: ObservedSecret | None) -> frozenset[RegistryHost]:
        return self._tokens.revoked(secret.record) if secret and secret.record else entries.NO_HOSTS

    def _wish(
        self, view: ObservedNamespace | None, secret: ObservedSecret | None
    ) -> tuple[DesiredState | None, tuple[Failure, ...]]:
        """Read the annotations; invalid ones leave a Secret that is there going on with what it has."""
        if view is None:
            return None, ()
        policy = self._policy()
        try:
            desired = desired_state(view, policy)
            return desired, ignored_annotations(view) if desired and not self._attaching else ()
        except InvalidInputError as error:
            message = f"namespace/{view.name}: " + "; ".join(map(str, error.problems))
            invalid = Failure(reason=Reason.INVALID_ANNOTATION, message=message)
        except FailureError as error:
            invalid = error.failure
        return fallback_state(view, secret, policy), (invalid,)

    async def _write(self, name: str, step: Apply, invalid: tuple[Failure, ...]) -> datetime:
        answers = await self._ask(name, step)
        failures = tuple(answer.failure for answer in answers.values() if answer.failure)
        choice = entries.plan_entries(
            step.desired,
            step.secret,
            {scope: answer.token for scope, answer in answers.items() if answer.token},
            complete=not any(answer.retry_at for answer in answers.values()),
            excluded=entries.NO_HOSTS.union(*(answer.excluded for answer in answers.values())),
            revoked=self._died(step.secret),
        )
        try:
            secret = await self._apply(name, step, choice) or step.secret
        except FailureError as error:
            self._report.stands(name, step.secret, (*invalid, *failures, error.failure))
            raise
        again = self._again(name, secret, answers)
        self._report.stands(name, secret, (*invalid, *failures), again)
        return again

    async def _ask(self, name: str, step: Apply) -> dict[TokenScope, TokenResult]:
        since = self._fresh_since(name, step)
        wanted, hosts = sorted(entries.token_scopes(step.desired)), step.desired.registries
        answers = await asyncio.gather(*(self._tokens.get(scope, hosts, not_before=since) for scope in wanted))
        return dict(zip(wanted, answers, strict=True))

    def _fresh_since(self, name: str, step: Apply) -> datetime | None:
        """Tell since when a fresh token is asked for: from when the new value of `refresh` was first seen.

        The value that a first Secret is born with asks for nothing more than a token; one that comes while there is
        none yet does, so that whoever has mended something need not wait for the next try.
        """
        value, held = step.desired.refresh_requested_at, step.secret.record if step.secret else None
        if held is not None and held.refresh_requested_at == value:
            return None
        seen = self._refreshes.get(name)
        if seen is None or seen.value != value:
            asks = value is not None and (seen is not None or held is not None)
            seen = self._refreshes[name] = _Refresh(value=value, seen_at=self._clock() if asks else None)
        return seen.seen_at

    async def _apply(self, name: str, step: Apply, choice: EntryPlan) -> ObservedSecret | None:
        if not choice.needs_write:
            return None
        held = await self._cluster.read_auths(name) if choice.kept else {}
        composed = entries.build_secret(choice, held)
        if composed is None:
            return None
        with self._report.writing(step.cause, name):
            written = await self._cluster.apply(name, composed, step.secret)
        self._secrets.written(name, written)
        waited = self._namespaces.asking_since(name) if step.cause is Cause.CREATED else None
        self._report.wrote(name, step.cause, written, self._clock() - waited if waited else None)
        return written

    async def _remove(self, name: str, secret: ObservedSecret) -> None:
        with self._report.removing(name, secret):
            await self._cluster.delete(name, secret)
        self._secrets.written(name, None)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._refreshes.pop(name, None)
        self._report.forget(name)

    def _again(self, name: str, secret: ObservedSecret | None, answers: Mapping[TokenScope, TokenResult]) -> datetime:
        """Tell when to look again: at the next turn of a token, or when one that failed may be asked for again."""
        now = self._clock()
        held = secret.record.validities if secret and secret.record else ()
        turns = [self._rotation.refresh_at_for(name, times) for times in held]
        # One that may be asked for again since a while, because another region kept us waiting, is asked for at once.
        retries = [max(answer.retry_at, now) for answer in answers.values() if answer.retry_at]
        coming = [*(moment for moment in turns if moment > now), *retries]
        if held and not retries and min(turns) <= now:
            # What AWS gave is no better than what is there: the less life is left, the sooner it is looked at again.
            left = min(times.expires_at for times in held) - now
            coming.append(now + max(left / _LOOKS, _SOON))
        return min(coming, default=now + LONGEST_RETRY)
