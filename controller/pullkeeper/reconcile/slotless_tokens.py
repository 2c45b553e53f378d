"""Tokens for reconcilers: whoever waits for one gives up its slot in the work queue."""

from collections.abc import Iterable
from datetime import datetime

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.reconcile.reconciler import Tokens
from pullkeeper.reconcile.work_queue import WorkQueue
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_cache import TokenResult


class SlotlessTokens:
    """Passes everything on: namespaces whose regions or registries hang take no slot of the others."""

    def __init__(self, tokens: Tokens, queue: WorkQueue) -> None:
        self._tokens = tokens
        self._queue = queue

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],
        requester: Requester,
        *,
        not_before: datetime | None = None,
    ) -> TokenResult:
        """Return the best token to be had, and which of these registries must not get it."""
        async with self._queue.waiting(requester.namespace):
            return await self._tokens.get(scope, hosts, requester, not_before=not_before)

    def revoked(self, namespace: str, identity: Identity, record: SecretRecord) -> frozenset[RegistryHost]:
        """Return the registries that are known to refuse what a namespace's Secret holds for them."""
        return self._tokens.revoked(namespace, identity, record)
