"""The ServiceAccounts of one namespace that name its pull Secret in their `imagePullSecrets`.

It keeps no state that matters: what is requested is on the Namespace, and what is ours on the ServiceAccounts.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.namespace.annotations import ATTACH
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.judgement import judge
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.repairs import writer_hint
from pullkeeper.domain.secret.service_account_patch import (
    AttachmentOutcome,
    ObservedServiceAccount,
    ServiceAccountPatch,
    plan_patch,
)
from pullkeeper.reconcile import status_reporter
from pullkeeper.reconcile.caches import Reader
from pullkeeper.reconcile.namespace_records import NamespaceRecord, NamespaceRecords
from pullkeeper.reconcile.result import Result

_GRACE_PERIOD = timedelta(seconds=10)
"""A ServiceAccount may be created a little after the Namespace that names it; `default` always is."""
_REPORTED = datetime.max.replace(tzinfo=UTC)

_OUTCOMES = {
    AttachmentOutcome.ATTACHED: "names the pull Secret {secret} in its imagePullSecrets",
    AttachmentOutcome.RESTORED: "names the pull Secret {secret} in its imagePullSecrets again; somebody had removed it",
    AttachmentOutcome.RENAMED: "names the pull Secret {secret} in its imagePullSecrets, in place of {mark}",
    AttachmentOutcome.DETACHED: "does not name {mark} in its imagePullSecrets any more",
    AttachmentOutcome.FORGOTTEN: "is not marked any more as naming {mark}, which somebody had taken out",
}
_REPAIRS = {AttachmentOutcome.ATTACHED, AttachmentOutcome.RESTORED}
_WITH_EVENT = {AttachmentOutcome.ATTACHED, AttachmentOutcome.RESTORED, AttachmentOutcome.RENAMED}


MAX_PATCHES = 50
"""How many ServiceAccounts are patched before other namespaces get their turn."""
_Planned = tuple[ObservedServiceAccount, ServiceAccountPatch]


class ServiceAccounts(Protocol):
    """The observed ServiceAccounts."""

    def has_synced(self, namespace: str) -> bool:
        """Whether the ServiceAccounts of a namespace have been listed."""
        ...

    def of(self, namespace: str) -> Iterable[ObservedServiceAccount]:
        """Return those of a namespace."""
        ...

    def record_write(self, item: ObservedServiceAccount) -> None:
        """Take over our own write before the watch brings it."""


class ServiceAccountClient(Protocol):
    """Patches ServiceAccounts; raises FailureError or StaleObservationError, having written nothing."""

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        """Change exactly the ServiceAccount that was observed; return None if it is gone."""
        ...


class Log(Protocol):
    """Logs within the budget of a namespace."""

    def __call__(self, name: str, text: str, fields: Mapping[str, Any], *, level: int = logging.INFO) -> None:
        """Log a line about a namespace."""


class Events(status_reporter.Events, Protocol):
    """Posts Events regarding ServiceAccounts, too."""

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        """Post an Event regarding a ServiceAccount."""


class ServiceAccountReconciler:
    """Attaches the pull Secret to the ServiceAccounts that a namespace names, and detaches it from the others."""

    def __init__(
        self,
        *,
        namespaces: Reader[ObservedNamespace],
        secrets: Reader[ObservedSecret],
        service_accounts: ServiceAccounts,
        client: ServiceAccountClient,
        events: Events,
        log: Log,
        records: NamespaceRecords,
        policy: Callable[[], Policy],
        secret_name: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._namespaces = namespaces
        self._secrets = secrets
        self._service_accounts = service_accounts
        self._client = client
        self._events = events
        self._log = log
        self._records = records
        self._policy = policy
        self._secret_name = secret_name
        self._clock = clock

    async def reconcile(self, name: str) -> Result:
        """Attach and detach what has to be; one ServiceAccount that cannot be patched holds up no other one."""
        namespace, record = self._namespaces.get(name), self._records.get(name)
        desired = self._desired(namespace) if self._service_accounts.has_synced(name) else None
        if namespace is None or desired is None:
            record.missing_service_accounts = {}
            return Result()
        secret, accounts = self._secrets.get(name), tuple(self._service_accounts.of(name))
        patches, resume_at = self._without_held_back(record, self._plan_patches(accounts, desired, secret))
        errors = [error for each in _next(patches, record) if (error := await self._patch(*each))]
        if errors:
            failures = (errors[0].failure,) if isinstance(errors[0], FailureError) else ()
            return Result(failures=(*failures, *self._contested(name, record)), error=errors[0])
        # The installation's own list is for many namespaces, and not each of them has all of these.
        named = desired.names if ATTACH in namespace.annotations else frozenset[str]()
        missing = named.difference(account.name for account in accounts)
        report_at = self._report_missing(name, record, missing, secret)
        times = (report_at, resume_at, *self._forgotten_at(record))
        more = self._clock() if len(patches) > MAX_PATCHES else None
        requeue_at = more or min(filter(None, times), default=None)
        return Result(failures=self._contested(name, record), requeue_at=requeue_at)

    def _without_held_back(
        self, record: NamespaceRecord, patches: Iterable[_Planned]
    ) -> tuple[list[_Planned], datetime | None]:
        """Leave out the ServiceAccounts that somebody keeps changing back; return when to go on with them."""
        now, made, times = self._clock(), list[_Planned](), list[datetime]()
        for account, patch in patches:
            repairs = record.attached.get(account.name) if patch.outcome in _REPAIRS else None
            if repairs and (at := repairs.resume_at(now)):
                times.append(at)
            else:
                made.append((account, patch))
        return made, min(times, default=None)

    def _contested(self, name: str, record: NamespaceRecord) -> tuple[Failure, ...]:
        now = self._clock()
        found = {account: repairs for account, repairs in record.attached.items() if repairs.is_contested(now)}
        if not found:
            return ()
        message = (
            f"namespace/{name}: somebody keeps taking the pull Secret out of the imagePullSecrets of ServiceAccount "
            f"{listed(sorted(found))}, so it is put back once a minute at most: stop the tool that does, or take the "
            f"name out of {PREFIX}{ATTACH}"
        )
        who = writer_hint(next(iter(found.values())).by)
        return (Failure(reason=Reason.WRITES_REVERTED, message=message, detail=who),)

    def _forgotten_at(self, record: NamespaceRecord) -> Iterator[datetime | None]:
        now = self._clock()
        yield from (each.forgotten_at for each in record.attached.values() if each.is_contested(now))

    def _desired(self, namespace: ObservedNamespace | None) -> ServiceAccountNames | None:
        """Return which ServiceAccounts to attach to; None where all are left as they are."""
        if namespace is None or namespace.terminating:
            return None
        policy = self._policy()
        judgement = judge(namespace, self._secrets.get(namespace.name), policy)
        if judgement.of_another_class or judgement.opt_in_lost:
            return None
        if judgement.error and not policy.excludes(namespace):
            return None
        return judgement.desired.service_accounts if judgement.desired else NO_SERVICE_ACCOUNTS

    def _plan_patches(
        self, accounts: Iterable[ObservedServiceAccount], desired: ServiceAccountNames, secret: ObservedSecret | None
    ) -> list[_Planned]:
        exists = secret is not None and secret.managed
        planned = (
            (account, plan_patch(account, self._secret_name, wanted=account.name in desired, exists=exists))
            for account in accounts
        )
        return [(account, patch) for account, patch in planned if patch is not None]

    async def _patch(
        self, account: ObservedServiceAccount, patch: ServiceAccountPatch
    ) -> FailureError | StaleObservationError | None:
        try:
            written = await self._client.patch(account, patch)
        except (FailureError, StaleObservationError) as error:
            return error
        if written is not None:
            self._service_accounts.record_write(written)
            self._report_patch(account, patch.outcome)
        return None

    def _report_patch(self, account: ObservedServiceAccount, outcome: AttachmentOutcome) -> None:
        record = self._records.get(account.namespace)
        if outcome in _REPAIRS:
            record.record_attached(account, self._clock())
            if record.attached[account.name].is_contested(self._clock()):
                return
        else:
            record.attached.pop(account.name, None)
        what = _OUTCOMES[outcome].format(secret=self._secret_name, mark=account.mark)
        note = f"ServiceAccount {account.name} {what}"
        self._log(account.namespace, note, {"namespace": account.namespace})
        if outcome in _WITH_EVENT:
            self._events.post_on(account, EventReason.SERVICE_ACCOUNT_ATTACHED, note)

    def _report_missing(
        self, name: str, record: NamespaceRecord, missing: Iterable[str], secret: ObservedSecret | None
    ) -> datetime | None:
        """Report once each ServiceAccount that is still missing after the grace period; return when to look again."""
        now, known = self._clock(), record.missing_service_accounts
        report_at = {account: known.get(account, now + _GRACE_PERIOD) for account in sorted(missing)}
        overdue = [account for account, at in report_at.items() if at <= now]
        if overdue:
            text = (
                f"{PREFIX}{ATTACH} names what does not exist: ServiceAccount {listed(overdue)}: "
                "create it (it will be attached when it appears), or take its name out"
            )
            self._log(name, text, {"namespace": name}, level=logging.WARNING)
            reason = EventReason.SERVICE_ACCOUNT_NOT_FOUND
            note = f"namespace/{name}: {text}"
            self._events.post(name, reason, note, secret=secret, namespace_uid=record.uid)
        record.missing_service_accounts = report_at | dict.fromkeys(overdue, _REPORTED)
        return min((at for at in report_at.values() if now < at < _REPORTED), default=None)


def _next(patches: Iterable[_Planned], record: NamespaceRecord) -> list[_Planned]:
    """Return the patches to make in this turn: those that follow the last one, so that none is held up by others."""
    ordered = sorted(patches, key=lambda each: (each[0].name <= record.last_patched, each[0].name))
    turn = ordered[:MAX_PATCHES]
    record.last_patched = turn[-1][0].name if len(ordered) > MAX_PATCHES else ""
    return turn
