"""Announces how many pull Secrets are about to be deleted because the settings have lost an opt-in."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.judgement import opt_in_lost
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.reconcile.caches import Reader

logger = logging.getLogger(__name__)

_PAUSE = 5.0
"""Seconds for which changes are collected, so that one slip in the settings is one line."""


class Namespaces(Reader[ObservedNamespace], Protocol):
    """The observed Namespaces."""

    def synced(self) -> Iterable[asyncio.Event]:
        """Return what to wait for before they are known."""
        ...


class Secrets(Protocol):
    """The observed Secrets."""

    def items(self) -> Iterable[ObservedSecret]:
        """Return all of them."""
        ...


class PendingOptOuts:
    """Counts namespaces whose opt-in the settings have lost, by what this replica knows of settings and cluster.

    Followers count as well: one with older settings says what it would do before it leads.
    """

    def __init__(
        self, namespaces: Namespaces, secrets: Secrets, policy: Callable[[], Policy], *, grace: timedelta
    ) -> None:
        self._namespaces = namespaces
        self._secrets = secrets
        self._policy = policy
        self._grace = grace
        self._announced = 0
        self._changed = asyncio.Event()

    def count(self) -> int:
        """Return how many there are now."""
        return len(self._names())

    def changed(self) -> None:
        """Announce soon how many there are, if that is another number."""
        self._changed.set()

    async def run(self) -> None:
        """Announce each change of the number, until cancelled."""
        for synced in self._namespaces.synced():
            await synced.wait()
        while True:
            self.announce()
            await self._changed.wait()
            await asyncio.sleep(_PAUSE)
            self._changed.clear()

    def announce(self) -> None:
        """Log the number, if it has changed."""
        names = self._names()
        if len(names) == self._announced:
            return
        self._announced = len(names)
        if not names:
            logger.info("no pull Secret is about to be deleted for lack of an opt-in in the settings any more")
            return
        logger.warning(
            "%s: the leader deletes their pull Secrets %s after it has noticed, unless `optIn` opts them in again (%s)",
            "1 namespace is not opted in by the settings any more"
            if len(names) == 1
            else f"{len(names):,} namespaces are not opted in by the settings any more",
            format_duration(self._grace),
            listed(names),
        )

    def _names(self) -> list[str]:
        policy = self._policy()
        return sorted(
            secret.namespace
            for secret in self._secrets.items()
            if (namespace := self._namespaces.get(secret.namespace)) and opt_in_lost(namespace, secret, policy)
        )
