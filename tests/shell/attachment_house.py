"""One namespace with its ServiceAccounts, and all that is around their attachment."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.attachments import Attachments
from controller.core.attachment import Change, ObservedAccount, Outcome
from controller.core.event_reasons import EventReason
from controller.core.namespace import NamespaceView
from controller.core.observed_secret import ObservedSecret
from controller.core.policy import Policy
from controller.core.reasons import StaleObservationError
from tests.core.examples import EU, NOW, managed, published

KEY = "attach-to-service-accounts"
SECRET = managed(published(EU))
GRACE = timedelta(seconds=10)
STALE = StaleObservationError("team-a")


def account(name: str, **fields: Any) -> ObservedAccount:
    return ObservedAccount(namespace="team-a", name=name, uid=f"uid-{name}", resource_version=7, **fields)


ATTACHED: Mapping[str, Any] = {"entry": 0, "mark": "ours", "marked": 0, "listed": True, "annotated": True}


class House:
    """One namespace, its ServiceAccounts and everything around them."""

    def __init__(self, *accounts: ObservedAccount, attach: str | None = None, **annotations: str) -> None:
        written = {"enabled": "true", **annotations} | ({} if attach is None else {KEY: attach})
        self.view: NamespaceView | None = NamespaceView(name="team-a", resource_version=1, annotations=written)
        self.secret: ObservedSecret | None = SECRET
        self.accounts = {account.name: account for account in accounts}
        self.policy = Policy(registries=(EU,))
        self.listed = True
        self.now = NOW
        self.refusals: dict[str, Exception | None] = {}
        self.patched: list[tuple[str, Outcome]] = []
        self.noted: list[str] = []
        self.posted: list[tuple[str, str, bool]] = []
        self.attachments = Attachments(
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

    def of(self, namespace: str) -> list[ObservedAccount]:
        return list(self.accounts.values()) if namespace == "team-a" else []

    def written(self, account: ObservedAccount) -> None:
        self.noted.append(account.name)
        self.accounts[account.name] = account

    async def patch(self, account: ObservedAccount, change: Change) -> ObservedAccount | None:
        if account.name in self.refusals:
            if error := self.refusals[account.name]:
                raise error
            return None
        self.patched.append((account.name, change.outcome))
        return replace(account, resource_version=8, entry=0, mark="ours", marked=0)

    def post(self, namespace: str, reason: EventReason, note: str, *, secret: ObservedSecret | None) -> None:
        assert (namespace, secret) == ("team-a", self.secret)
        self.posted.append((reason, note, reason.warning))

    def post_on(self, account: ObservedAccount, reason: EventReason, note: str) -> None:
        self.posted.append((reason, f"{account.uid}: {note}", reason.warning))


class _Views:
    def __init__(self, house: House) -> None:
        self._house = house

    def get(self, name: str) -> NamespaceView | None:
        return self._house.view if name == "team-a" else None


class _Secrets:
    def __init__(self, house: House) -> None:
        self._house = house

    def get(self, namespace: str) -> ObservedSecret | None:
        return self._house.secret if namespace == "team-a" else None
