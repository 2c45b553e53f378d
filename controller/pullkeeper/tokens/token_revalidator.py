"""Published tokens, tried again at intervals: one that dies before its time is replaced at once."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.tokens.token_verifier import TokenVerifier

logger = logging.getLogger(__name__)

_SHARE = 0.9
"""So much of the interval lies between two rounds: what is left is for the repair."""
_MOST_READS = 3
"""So many namespaces are asked for a token that is not in memory; the next round comes anyway."""


class Secrets(Protocol):
    """The Secrets of our name as they were last seen."""

    def all(self) -> Mapping[str, ObservedSecret]:
        """Give them by their namespace."""
        ...


class Cluster(Protocol):
    """Whoever reads a pull Secret; raises FailureError, StaleObservationError or NamespaceGoneError."""

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        """Read the entries of the pull Secret."""
        ...


_Holders = Mapping[RegistryHost, list[str]]
"""The namespaces whose Secrets hold a token, by the registry that they hold it for."""


class TokenRevalidator:
    """Goes round what is published: each token is tried at each of its registries, however many namespaces hold it."""

    def __init__(
        self,
        verification: TokenVerifier,
        *,
        secrets: Secrets,
        cluster: Cluster,
        in_memory: Callable[[TokenScope], Token | None],
        wake: Callable[[str], None],
        every: timedelta,
    ) -> None:
        self._verification = verification
        self._secrets = secrets
        self._cluster = cluster
        self._in_memory = in_memory
        self._wake = wake
        self._every = every

    async def run(self) -> None:
        """Go round again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._every.total_seconds() * _SHARE, loop.time())
            await asyncio.sleep(due - loop.time())
            await self.go_round()

    async def go_round(self) -> None:
        """Try every published token once."""
        for (scope, times), holders in self._published().items():
            await self._look(scope, times, holders)

    def _published(self) -> Mapping[tuple[TokenScope, TokenValidity], _Holders]:
        """Group what the Secrets hold; one that somebody has changed tells nothing."""
        found: dict[tuple[TokenScope, TokenValidity], dict[RegistryHost, list[str]]] = {}
        for namespace, secret in self._secrets.all().items():
            for use in secret.record.credentials if secret.record and secret.intact else ():
                holders = found.setdefault((use.scope, use.validity), defaultdict(list))
                holders[use.host].append(namespace)
        return found

    async def _look(self, scope: TokenScope, times: TokenValidity, holders: _Holders) -> None:
        auths = await self._auths(scope, times, holders)
        uses = [
            RegistryCredential(identity=scope.identity, host=host, validity=times) for host in holders if host in auths
        ]
        died = await asyncio.gather(*(self._verification.revalidate(use, auths[use.host]) for use in uses))
        dead = [use.host for use, gone in zip(uses, died, strict=True) if gone]
        if dead:
            await self._replace(scope, dead, holders)

    async def _auths(
        self, scope: TokenScope, times: TokenValidity, holders: _Holders
    ) -> Mapping[RegistryHost, Password]:
        """Give the token by registry: from memory, or as the Secret of a namespace holds it."""
        token = self._in_memory(scope)
        if token is not None and token.validity == times:
            return dict.fromkeys(holders, token.auth)
        found: dict[RegistryHost, Password] = {}
        for host, namespaces in holders.items():
            for namespace in namespaces[:_MOST_READS]:
                if host not in found:
                    held = await self._read(namespace)
                    found |= {each: auth for each, auth in held.items() if namespace in holders.get(each, ())}
        return found

    async def _read(self, namespace: str) -> Mapping[RegistryHost, Password]:
        try:
            return await self._cluster.read_auths(namespace)
        except (FailureError, StaleObservationError, NamespaceGoneError) as error:
            logger.debug("namespace/%s: its tokens are not tried this time: %s", namespace, type(error).__name__)
            return {}

    async def _replace(self, scope: TokenScope, hosts: list[RegistryHost], holders: _Holders) -> None:
        namespaces = sorted({name for host in hosts for name in holders[host]})
        names = ", ".join(sorted(host.name for host in hosts))
        logger.warning(
            "%s: refuses the token of %s in %s before its time: it is replaced in %d namespaces",
            *(names, scope.identity, scope.label, len(namespaces)),
        )
        # First the token that all of them share, tried where the old one was refused; then whoever holds that.
        await self._verification.get(scope, hosts)
        for name in namespaces:
            self._wake(name)
