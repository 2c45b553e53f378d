"""One namespace with its ServiceAccounts, and all that is around their attachment."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import (
    AttachmentOutcome,
    ObservedServiceAccount,
    ServiceAccountPatch,
)
from pullkeeper.reconcile.service_account_reconciler import ServiceAccountReconciler
from testsupport.examples import EU, NOW, managed, published

KEY = "attach-to-service-accounts"
SECRET = managed(published(EU))
GRACE = timedelta(seconds=10)
STALE = StaleObservationError("team-a")


def account(name: str, **fields: Any) -> ObservedServiceAccount:
    return ObservedServiceAccount(namespace="team-a", name=name, uid=f"uid-{name}", resource_version=7, **fields)


ATTACHED: Mapping[str, Any] = {"entry": 0, "mark": "ours", "marked": 0, "listed": True, "annotated": True}


class ServiceAccountHarness:
    """One namespace, its ServiceAccounts and everything around them."""

    def __init__(self, *accounts: ObservedServiceAccount, attach: str | None = None, **annotations: str) -> None:
        written = {"enabled": "true", **annotations} | ({} if attach is None else {KEY: attach})
        self.view: ObservedNamespace | None = ObservedNamespace(name="team-a", resource_version=1, annotations=written)
        self.secret: ObservedSecret | None = SECRET
        self.accounts = {account.name: account for account in accounts}
        self.policy = Policy(registries=(EU,))
        self.listed = True
        self.now = NOW
        self.refusals: dict[str, Exception | None] = {}
        self.patched: list[tuple[str, AttachmentOutcome]] = []
        self.noted: list[str] = []
        self.posted: list[tuple[str, str, bool]] = []
        self.attachments = ServiceAccountReconciler(
            namespaces=_Views(self),
            secrets=_Secrets(self),
            accounts=self,
            door=self,
            events=self,
            policy=lambda: self.policy,
            secret_name="ours",
            clock=lambda: self.now,
        )

    async def settle(self) -> datetime | None:
        return await self.attachments.settle("team-a")

    def knows(self, namespace: str) -> bool:
        return self.listed and namespace == "team-a"

    def of(self, namespace: str) -> list[ObservedServiceAccount]:
        return list(self.accounts.values()) if namespace == "team-a" else []

    def written(self, account: ObservedServiceAccount) -> None:
        self.noted.append(account.name)
        self.accounts[account.name] = account

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        if account.name in self.refusals:
            if error := self.refusals[account.name]:
                raise error
            return None
        self.patched.append((account.name, change.outcome))
        return replace(account, resource_version=8, entry=0, mark="ours", marked=0)

    def post(self, namespace: str, reason: EventReason, note: str, *, secret: ObservedSecret | None) -> None:
        assert (namespace, secret) == ("team-a", self.secret)
        self.posted.append((reason, note, reason.warning))

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        self.posted.append((reason, f"{account.uid}: {note}", reason.warning))


class _Views:
    def __init__(self, house: ServiceAccountHarness) -> None:
        self._house = house

    def get(self, name: str) -> ObservedNamespace | None:
        return self._house.view if name == "team-a" else None


class _Secrets:
    def __init__(self, house: ServiceAccountHarness) -> None:
        self._house = house

    def get(self, namespace: str) -> ObservedSecret | None:
        return self._house.secret if namespace == "team-a" else None
