"""Published tokens probed again at intervals, so that a revoked one is replaced long before it expires."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_verifier import TokenVerifier

logger = logging.getLogger(__name__)

_INTERVAL_SHARE = 0.9
"""Share of the interval between two rounds; the rest is left for the replacement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedToken:
    """A token that a namespace requests, by its annotations and the policy, and that its pull Secret seems to hold."""

    namespace: str
    scope: TokenScope
    host: RegistryHost
    validity: TokenValidity


class PullSecretReader(Protocol):
    """Reads the data of pull Secrets."""

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        """Read the entries of a pull Secret; raise FailureError, StaleObservationError or NamespaceGoneError."""
        ...


class TokenRevalidator:
    """Probes each published token once per round and registry, however many namespaces hold it."""

    def __init__(
        self,
        verifier: TokenVerifier,
        *,
        published: Callable[[], Iterable[PublishedToken]],
        reader: PullSecretReader,
        peek: Callable[[TokenScope], Token | None],
        enqueue: Callable[[str], None],
        interval: timedelta,
    ) -> None:
        self._verifier = verifier
        self._published = published
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
        """Probe every published token once.

        Only the verdict on a token that this process has fetched is shared by the namespaces that hold it. One that a
        restart has lost is read from each Secret, and its verdict counts for that namespace alone.
        """
        ours: dict[TokenScope, dict[RegistryHost, list[str]]] = {}
        others: dict[str, list[PublishedToken]] = defaultdict(list)
        for each in self._published():
            token = self._peek(each.scope)
            if token is not None and token.validity == each.validity:
                ours.setdefault(each.scope, defaultdict(list))[each.host].append(each.namespace)
            else:
                others[each.namespace].append(each)
        for scope, holders in ours.items():
            await self._revalidate_ours(scope, holders)
        await self._revalidate_others(others)

    async def _revalidate_ours(self, scope: TokenScope, holders: Mapping[RegistryHost, list[str]]) -> None:
        token = self._peek(scope)
        if token is None:
            return
        credentials = [RegistryCredential(scope=scope, host=host, validity=token.validity) for host in holders]
        results = await asyncio.gather(*(self._verifier.revalidate([each], token.auth) for each in credentials))
        revoked = [each.host for each, is_revoked in zip(credentials, results, strict=True) if is_revoked]
        if not revoked:
            return
        namespaces = sorted({name for host in revoked for name in holders[host]})
        logger.warning(
            "registry %s: refuses the token of %s in %s although it has not expired: replacing it in %d namespaces",
            *(", ".join(sorted(host.name for host in revoked)), scope.identity, scope.label, len(namespaces)),
        )
        # Fetch and verify the replacement once, before the namespaces that share it are reconciled.
        await self._verifier.get(scope, revoked, Requester(namespace=namespaces[0], first=False))
        for name in namespaces:
            self._enqueue(name)

    async def _revalidate_others(self, published: Mapping[str, Iterable[PublishedToken]]) -> None:
        texts: dict[tuple[RegistryHost, Password], list[RegistryCredential]] = defaultdict(list)
        for namespace, tokens in published.items():
            auths = await self._read(namespace)
            for each in tokens:
                if auth := auths.get(each.host):
                    credential = RegistryCredential(
                        scope=each.scope, host=each.host, validity=each.validity, holder=namespace
                    )
                    texts[each.host, auth].append(credential)
        revoked: set[str] = set()
        for (_, auth), credentials in texts.items():
            if await self._verifier.revalidate(credentials, auth):
                revoked |= {each.holder for each in credentials}
        if revoked:
            logger.warning(
                "registries refuse tokens of earlier processes: replacing them in %d namespaces", len(revoked)
            )
        for name in sorted(revoked):
            self._enqueue(name)

    async def _read(self, namespace: str) -> Mapping[RegistryHost, Password]:
        try:
            return await self._reader.read_auths(namespace)
        except (FailureError, StaleObservationError, NamespaceGoneError) as error:
            logger.debug("namespace/%s: cannot read its pull Secret to revalidate: %s", namespace, type(error).__name__)
            return {}
