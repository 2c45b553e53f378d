"""Published tokens probed again at intervals, so that a revoked one is replaced long before it expires."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_verifier import TokenVerifier

logger = logging.getLogger(__name__)

_INTERVAL_SHARE = 0.9
"""Share of the interval between two rounds; the rest is left for the replacement."""
_MAX_READS = 3
"""Namespaces whose Secret is read for a token that is not in memory; if all fail, the next round tries again."""


class Secrets(Protocol):
    """The pull Secrets as last observed."""

    def items(self) -> Iterable[ObservedSecret]:
        """Return all of them."""
        ...


class PullSecretReader(Protocol):
    """Reads the data of pull Secrets."""

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        """Read the entries of a pull Secret; raise FailureError, StaleObservationError or NamespaceGoneError."""
        ...


_Holders = Mapping[RegistryHost, list[str]]
"""The namespaces whose Secrets hold a token, by the registry it is for."""


class TokenRevalidator:
    """Probes each published token once per round and registry, however many namespaces hold it."""

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        secrets: Secrets,
        reader: PullSecretReader,
        peek: Callable[[TokenScope], Token | None],
        enqueue: Callable[[str], None],
        interval: timedelta,
    ) -> None:
        self._verifier = verifier
        self._secrets = secrets
        self._reader = reader
        self._peek = peek
        self._enqueue = enqueue
        self._interval = interval

    async def run(self) -> None:
        """Revalidate all tokens at each interval, until cancelled."""
        loop = asyncio.get_running_loop()
        next_round = loop.time()
        while True:
            next_round = max(next_round + self._interval.total_seconds() * _INTERVAL_SHARE, loop.time())
            await asyncio.sleep(next_round - loop.time())
            await self.revalidate_all()

    async def revalidate_all(self) -> None:
        """Probe every published token once."""
        for (scope, validity), holders in self._published().items():
            await self._revalidate(scope, validity, holders)

    def _published(self) -> Mapping[tuple[TokenScope, TokenValidity], _Holders]:
        """Group the namespaces by token; the record of an edited Secret cannot be relied on."""
        found: dict[tuple[TokenScope, TokenValidity], dict[RegistryHost, list[str]]] = {}
        for secret in self._secrets.items():
            for credential in secret.record.credentials if secret.record and secret.intact else ():
                holders = found.setdefault((credential.scope, credential.validity), defaultdict(list))
                holders[credential.host].append(secret.namespace)
        return found

    async def _revalidate(self, scope: TokenScope, validity: TokenValidity, holders: _Holders) -> None:
        auths = await self._auths(scope, validity, holders)
        credentials = [
            RegistryCredential(identity=scope.identity, host=host, validity=validity)
            for host in holders
            if host in auths
        ]
        results = await asyncio.gather(*(self._verifier.revalidate(each, auths[each.host]) for each in credentials))
        revoked = [each.host for each, is_revoked in zip(credentials, results, strict=True) if is_revoked]
        if revoked:
            await self._replace(scope, revoked, holders)

    async def _auths(
        self, scope: TokenScope, validity: TokenValidity, holders: _Holders
    ) -> Mapping[RegistryHost, Password]:
        """Return the token by registry: from memory, or from the Secrets of a few namespaces that hold it."""
        token = self._peek(scope)
        if token is not None and token.validity == validity:
            return dict.fromkeys(holders, token.auth)
        found: dict[RegistryHost, Password] = {}
        for host, namespaces in holders.items():
            for namespace in namespaces[:_MAX_READS]:
                if host not in found:
                    auths = await self._read(namespace)
                    found |= {each: auth for each, auth in auths.items() if namespace in holders.get(each, ())}
        return found

    async def _read(self, namespace: str) -> Mapping[RegistryHost, Password]:
        try:
            return await self._reader.read_auths(namespace)
        except (FailureError, StaleObservationError, NamespaceGoneError) as error:
            logger.debug("namespace/%s: cannot read its pull Secret to revalidate: %s", namespace, type(error).__name__)
            return {}

    async def _replace(self, scope: TokenScope, hosts: list[RegistryHost], holders: _Holders) -> None:
        namespaces = sorted({name for host in hosts for name in holders[host]})
        names = ", ".join(sorted(host.name for host in hosts))
        logger.warning(
            "registry %s: refuses the token of %s in %s although it has not expired: replacing it in %d namespaces",
            *(names, scope.identity, scope.label, len(namespaces)),
        )
        # Fetch and verify the replacement once, before the namespaces that share it are reconciled.
        await self._verifier.get(scope, hosts, Requester(namespace=namespaces[0], first=False))
        for name in namespaces:
            self._enqueue(name)
