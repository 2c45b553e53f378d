"""Notices that a ServiceAccount which a namespace fetches tokens as has got another role, or has none any more.

Where RBAC grants it, they are watched. The others, and those whose watch is denied, are read again and again, one at a
time.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.iam.principal import NOBODY
from pullkeeper.domain.namespace.annotations import SERVICE_ACCOUNT
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.identities import ServiceAccountResolver
from pullkeeper.reconcile.namespace_records import NamespaceRecords

INTERVAL = timedelta(seconds=15)
"""How often each ServiceAccount is read while there are few."""
SHORTEST_PAUSE = timedelta(milliseconds=200)
"""Between two reads, so that they are a small part of what the API server does: with 10,000 a round is half an hour."""


class Namespaces(Protocol):
    """The observed Namespaces."""

    def items(self) -> Iterable[ObservedNamespace]:
        """Return all of them."""
        ...


class ServiceAccountPoller:
    """Reads the ServiceAccounts that namespaces use in turn, and enqueues a namespace whose own has changed."""

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        records: NamespaceRecords,
        service_accounts: ServiceAccountResolver,
        is_watched: Callable[[str, str], bool],
        enqueue: Callable[[str], None],
    ) -> None:
        """`is_watched` tells by namespace and name which ServiceAccounts are not to be read."""
        self._namespaces = namespaces
        self._records = records
        self._service_accounts = service_accounts
        self._is_watched = is_watched
        self._enqueue = enqueue

    async def run(self) -> None:
        """Go round all ServiceAccounts in use again and again, until cancelled."""
        while True:
            in_use = dict(self._in_use())
            pause = max(INTERVAL / max(len(in_use), 1), SHORTEST_PAUSE).total_seconds()
            for namespace, identity in in_use.items():
                with suppress(FailureError):  # of the API server: nothing can be told of the ServiceAccount
                    self._compare(namespace, await self._read(identity))
                await asyncio.sleep(pause)
            if not in_use:
                await asyncio.sleep(pause)

    def _in_use(self) -> Iterator[tuple[str, Identity]]:
        for namespace in self._namespaces.items():
            if SERVICE_ACCOUNT in namespace.annotations:
                desired = self._records.get(namespace.name).last_valid
                for identity in desired.distinct_identities if desired else ():
                    if identity.kind is Kind.SERVICE_ACCOUNT and not self._is_watched(*identity.service_account):
                        yield namespace.name, identity

    async def _read(self, identity: Identity) -> Identity:
        try:
            return await self._service_accounts.resolve(identity)
        except FailureError as error:
            if error.failure.reason is not Reason.SERVICE_ACCOUNT_UNUSABLE:
                raise
            return replace(identity, principal=NOBODY)

    def _compare(self, namespace: str, found: Identity) -> None:
        """Remember what was read: tokens of another principal are rotated at once, or what keeps that is reported."""
        record = self._records.get(namespace)
        if record.service_account != found:
            record.service_account = found
            self._enqueue(namespace)
