"""Which ServiceAccounts of a namespace name its pull Secret: looked at after the Secret itself, each time.

Nothing is remembered that matters: what is wanted stands on the Namespace, what is ours on the ServiceAccounts.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import FailureError, StaleObservationError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.annotations import ATTACH
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.desired_state import desired_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import (
    AttachmentOutcome,
    ObservedServiceAccount,
    ServiceAccountPatch,
    plan_patch,
)

logger = logging.getLogger(__name__)

_GRACE = timedelta(seconds=10)
"""A ServiceAccount may come a little after the Namespace that names it; `default` always does."""
_TOLD = datetime.max.replace(tzinfo=UTC)

_SAID = {
    AttachmentOutcome.ATTACHED: "names the pull Secret {secret} in its imagePullSecrets",
    AttachmentOutcome.RESTORED: "names the pull Secret {secret} in its imagePullSecrets again; somebody had removed it",
    AttachmentOutcome.RENAMED: "names the pull Secret {secret} in its imagePullSecrets, in place of {mark}",
    AttachmentOutcome.DETACHED: "does not name {mark} in its imagePullSecrets any more",
    AttachmentOutcome.FORGOTTEN: "is not marked any more as naming {mark}, which somebody had taken out",
}
_POSTED = {AttachmentOutcome.ATTACHED, AttachmentOutcome.RESTORED, AttachmentOutcome.RENAMED}

Look = Callable[[str], Awaitable[datetime | None]]
"""Looks at one namespace and tells when to look again; raises FailureError or StaleObservationError."""


class Namespaces(Protocol):
    """The Namespaces as they were last seen."""

    def get(self, name: str) -> ObservedNamespace | None:
        """Give the one of this name."""
        ...


class Secrets(Protocol):
    """The Secrets of our name as they were last seen."""

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give the one of this namespace."""
        ...


class Accounts(Protocol):
    """The ServiceAccounts as they were last seen."""

    def knows(self, namespace: str) -> bool:
        """Whether the namespace has been listed."""
        ...

    def of(self, namespace: str) -> Iterable[ObservedServiceAccount]:
        """Give those of a namespace."""
        ...

    def written(self, account: ObservedServiceAccount) -> None:
        """Take note of our own write before the watch brings it."""
        ...


class Door(Protocol):
    """Whoever patches; raises FailureError or StaleObservationError, having written nothing."""

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        """Change just the ServiceAccount that was observed; None where it is gone."""
        ...


class Events(Protocol):
    """Whoever posts Events; it never fails and never waits."""

    def post(self, namespace: str, reason: EventReason, note: str, *, secret: ObservedSecret | None) -> None:
        """Post an Event regarding the pull Secret of a namespace."""

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        """Post an Event regarding a ServiceAccount."""


class ServiceAccountReconciler:
    """Brings the ServiceAccounts of one namespace at a time to what the namespace asks for."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        secrets: Secrets,
        accounts: Accounts,
        door: Door,
        events: Events,
        policy: Callable[[], Policy],
        secret_name: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._namespaces = namespaces
        self._secrets = secrets
        self._accounts = accounts
        self._door = door
        self._events = events
        self._policy = policy
        self._secret_name = secret_name
        self._clock = clock
        self._complained: dict[str, str] = {}
        """What was last said to go wrong, so that it is said once."""
        self._absent: dict[str, dict[str, datetime]] = {}
        """When to tell of a ServiceAccount that is named and does not exist."""

    def after(self, look: Look) -> Look:
        """Give a look that settles the ServiceAccounts after what it looked at before."""

        async def both(name: str) -> datetime | None:
            moments = (await look(name), await self.settle(name))
            return min(filter(None, moments), default=None)

        return both

    async def settle(self, name: str) -> datetime | None:
        """Attach and detach what has to be; tells when to look again, None being only when something happens.

        Raises FailureError or StaleObservationError where one could not be patched, after having tried all.
        """
        view = self._namespaces.get(name)
        wanted = self._wanted(view) if self._accounts.knows(name) else None
        if view is None or wanted is None:
            self._absent.pop(name, None)
            return None
        secret = self._secrets.get(name)
        accounts = tuple(self._accounts.of(name))
        errors = [error for account in accounts if (error := await self._settle(account, wanted, secret))]
        if errors:
            self._complain(name, errors[0])
            raise errors[0]
        self._complained.pop(name, None)
        # The installation's own list is for many namespaces, and not each of them has all of these.
        named = wanted.names if ATTACH in view.annotations else frozenset[str]()
        return self._miss(name, named.difference(account.name for account in accounts), secret)

    def _complain(self, name: str, error: Exception) -> None:
        if isinstance(error, FailureError) and self._complained.get(name) != str(error):
            self._complained[name] = str(error)
            logger.warning("namespace/%s: %s", name, error)

    def _wanted(self, view: ObservedNamespace | None) -> ServiceAccountNames | None:
        """Tell who is to be attached; None where all is left as it is."""
        if view is None or view.terminating:
            return None
        try:
            desired = desired_state(view, self._policy())
        except (InvalidInputError, FailureError):
            return None
        return desired.service_accounts if desired else NO_SERVICE_ACCOUNTS

    async def _settle(
        self, account: ObservedServiceAccount, wanted: ServiceAccountNames, secret: ObservedSecret | None
    ) -> Exception | None:
        exists = secret is not None and secret.managed
        change = plan_patch(account, self._secret_name, wanted=account.name in wanted, exists=exists)
        if change is None:
            return None
        try:
            written = await self._door.patch(account, change)
        except (FailureError, StaleObservationError) as error:
            return error
        if written is not None:
            self._accounts.written(written)
            self._tell(account, change.outcome)
        return None

    def _tell(self, account: ObservedServiceAccount, outcome: AttachmentOutcome) -> None:
        what = _SAID[outcome].format(secret=self._secret_name, mark=account.mark)
        note = f"ServiceAccount {account.name} {what}"
        logger.info("namespace/%s: %s", account.namespace, note)
        if outcome in _POSTED:
            self._events.post_on(account, EventReason.SERVICE_ACCOUNT_ATTACHED, note)

    def _miss(self, name: str, absent: Iterable[str], secret: ObservedSecret | None) -> datetime | None:
        """Tell once of each that is named and does not exist, when it has been absent for a while."""
        now, known = self._clock(), self._absent.pop(name, {})
        due = {account: known.get(account, now + _GRACE) for account in sorted(absent)}
        missing = [account for account, at in due.items() if at <= now]
        if missing:
            note = (
                f"namespace/{name}: {PREFIX}{ATTACH} names what does not exist: ServiceAccount {', '.join(missing)}: "
                "create it (it will be attached when it appears), or take its name out"
            )
            logger.warning("%s", note)
            self._events.post(name, EventReason.SERVICE_ACCOUNT_NOT_FOUND, note, secret=secret)
        if due:
            self._absent[name] = due | dict.fromkeys(missing, _TOLD)
        return min((at for at in due.values() if now < at < _TOLD), default=None)
