"""The ServiceAccounts as they were last seen, with what attaching must know of each."""

import asyncio
from collections.abc import Callable, Iterable

from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount


class ServiceAccountCache:
    """Knows what the watches tell, and wakes whoever is to look at a namespace when a ServiceAccount of it changes.

    Any newer version wakes, also one whose change is none of ours: a patch may just have failed because of it.
    """

    def __init__(self, *, wake: Callable[[str], None], listed: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._listed = listed
        self._known: dict[str, dict[str, ObservedServiceAccount]] = {}
        self._scopes: set[str] = set()

    def knows(self, namespace: str) -> bool:
        """Whether the namespace has been listed, so that what is not here does not exist."""
        return not self._scopes.isdisjoint(("", namespace))

    def of(self, namespace: str) -> tuple[ObservedServiceAccount, ...]:
        """Give the ServiceAccounts of a namespace as they were last seen."""
        return tuple(self._known.get(namespace, {}).values())

    def written(self, account: ObservedServiceAccount) -> None:
        """Take note of our own write: the watch will bring the same, and nobody is woken for it."""
        known = self._known.get(account.namespace, {}).get(account.name)
        if known is not None and _older(known, account):
            self._known[account.namespace][account.name] = account

    def replace(self, found: Iterable[ObservedServiceAccount], version: int, namespace: str = "") -> None:
        """Take over a whole listing, of one namespace or of all: what is not in it and not younger than it is gone."""
        listed = {(account.namespace, account.name): account for account in found}
        for known in [known for each in self._known.values() for known in each.values()]:
            meant = namespace in ("", known.namespace)
            if meant and (known.namespace, known.name) not in listed and known.resource_version <= version:
                self._drop(known)
        for account in listed.values():
            self.upsert(account)
        if namespace not in self._scopes:
            self._scopes.add(namespace)
            self._listed()

    def upsert(self, account: ObservedServiceAccount) -> None:
        """Take note of one that is there or has changed."""
        accounts = self._known.setdefault(account.namespace, {})
        known = accounts.get(account.name)
        if known is None or _older(known, account):
            accounts[account.name] = account
            self._wake(account.namespace)

    def delete(self, last: ObservedServiceAccount) -> None:
        """Take note of one that is gone, as it was last."""
        known = self._known.get(last.namespace, {}).get(last.name)
        if known is not None and _older(known, last):
            self._drop(known)

    def _drop(self, account: ObservedServiceAccount) -> None:
        accounts = self._known[account.namespace]
        del accounts[account.name]
        if not accounts:
            del self._known[account.namespace]
        self._wake(account.namespace)


def _older(known: ObservedServiceAccount, seen: ObservedServiceAccount) -> bool:
    return known.resource_version < seen.resource_version


class AccountsSink:
    """What one watch tells, of all namespaces or of one; without a right to look in one, the others are not held up."""

    def __init__(self, accounts: ServiceAccountCache, namespace: str = "") -> None:
        self._accounts = accounts
        self._namespace = namespace
        self.synced = asyncio.Event()

    def replace(self, found: Iterable[ObservedServiceAccount], version: int) -> None:
        """Take over a whole listing."""
        self._accounts.replace(found, version, self._namespace)
        self.synced.set()

    def upsert(self, account: ObservedServiceAccount) -> None:
        """Take note of one that is there or has changed."""
        self._accounts.upsert(account)

    def delete(self, account: ObservedServiceAccount) -> None:
        """Take note of one that is gone."""
        self._accounts.delete(account)

    def on_bookmark(self, version: int) -> None:
        """Nothing hangs on it: a write is noted by its own version."""

    def on_forbidden(self) -> None:
        """Go on without this one namespace; without all of them, wait on."""
        if self._namespace:
            self.synced.set()
