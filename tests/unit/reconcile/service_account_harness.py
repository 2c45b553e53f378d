"""A reconciler of ServiceAccounts, with one namespace and everything that the reconciler uses."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
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
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.service_account_reconciler import ServiceAccountReconciler
from testsupport.examples import EU, NOW, managed, published

KEY = "attach-to-service-accounts"
SECRET = managed(published(EU))
GRACE_PERIOD = timedelta(seconds=10)
STALE = StaleObservationError("team-a")


def account(name: str, **fields: Any) -> ObservedServiceAccount:
    return ObservedServiceAccount(namespace="team-a", name=name, uid=f"uid-{name}", resource_version=7, **fields)


ATTACHED: Mapping[str, Any] = {
    "entry_index": 0,
    "mark": "ours",
    "marked_index": 0,
    "has_entries": True,
    "has_annotations": True,
}


def log(name: str, text: str, fields: Mapping[str, Any], *, level: int = logging.INFO) -> None:
    """Log without a budget."""
    logging.getLogger("pullkeeper.test").log(level, "namespace/%s: %s", name, text, extra=fields)


class ServiceAccountHarness:
    """One namespace, its Secret and ServiceAccounts, and a clock that a test sets."""

    def __init__(self, *accounts: ObservedServiceAccount, attach: str | None = None, **annotations: str) -> None:
        written = {"enabled": "true", **annotations} | ({} if attach is None else {KEY: attach})
        self.records = NamespaceRecords(applies_to=lambda _: True, clock=lambda: self.now)
        self.secret: ObservedSecret | None = SECRET
        self.accounts = {account.name: account for account in accounts}
        self.policy = Policy(registries=(EU,))
        self.listed = True
        self.now = NOW
        self.errors: dict[str, Exception | None] = {}
        """What patching a ServiceAccount raises; None where it is gone."""
        self.patched: list[tuple[str, AttachmentOutcome]] = []
        self.recorded: list[str] = []
        self.events: list[tuple[str, str, bool]] = []
        self.namespace: ObservedNamespace | None = None
        self.observe(ObservedNamespace(name="team-a", uid="first", resource_version=1, annotations=written))
        self.reconciler = ServiceAccountReconciler(
            namespaces=_Namespaces(self),
            secrets=_Secrets(self),
            service_accounts=self,
            client=self,
            events=self,
            log=log,
            records=self.records,
            policy=lambda: self.policy,
            secret_name="ours",
            clock=lambda: self.now,
        )

    async def reconcile(self) -> Result:
        return await self.reconciler.reconcile("team-a")

    def observe(self, namespace: ObservedNamespace | None) -> None:
        self.namespace = namespace
        if namespace is not None:
            self.records.observe(namespace)

    def has_synced(self, namespace: str) -> bool:
        return self.listed and namespace == "team-a"

    def of(self, namespace: str) -> list[ObservedServiceAccount]:
        return list(self.accounts.values()) if namespace == "team-a" else []

    def record_write(self, item: ObservedServiceAccount) -> None:
        self.recorded.append(item.name)
        self.accounts[item.name] = item

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        if account.name in self.errors:
            if error := self.errors[account.name]:
                raise error
            return None
        self.patched.append((account.name, change.outcome))
        return replace(account, resource_version=8, entry_index=0, mark="ours", marked_index=0)

    def post(
        self,
        namespace: str,
        reason: EventReason,
        note: str,
        *,
        secret: ObservedSecret | None,
        detail: str = "",
        namespace_uid: str = "",
    ) -> None:
        assert self.namespace is not None
        assert (namespace, secret, detail, namespace_uid) == ("team-a", self.secret, "", self.namespace.uid)
        self.events.append((reason, note, reason.warning))

    def post_on(self, account: ObservedServiceAccount, reason: EventReason, note: str) -> None:
        self.events.append((reason, f"{account.uid}: {note}", reason.warning))


class _Namespaces:
    def __init__(self, harness: ServiceAccountHarness) -> None:
        self._harness = harness

    def get(self, namespace: str) -> ObservedNamespace | None:
        return self._harness.namespace if namespace == "team-a" else None


class _Secrets:
    def __init__(self, harness: ServiceAccountHarness) -> None:
        self._harness = harness

    def get(self, namespace: str) -> ObservedSecret | None:
        return self._harness.secret if namespace == "team-a" else None
