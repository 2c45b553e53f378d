"""Classes that are broken on purpose, each in one way, to prove that the checkers notice."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Delete, Priority
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.reconcile.caches import CacheReports, ResourceCache
from pullkeeper.reconcile.namespace_relister import NamespaceRelister
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.result import Result
from pullkeeper.tokens.demand import Demand, Requester
from pullkeeper.tokens.token_cache import TokenCache, TokenResult
from testsupport.examples import wanted
from testsupport.simulation.scenarios import IRELAND


class DropsARegistry(PullSecretClient):
    """Drops the last host whenever it overwrites a Secret."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write without the last host."""
        auths = dict(sorted(content.auths.items())[: -1 if secret else None])
        return await super().apply(namespace, replace(content, auths=auths), secret)


class DeletesAndCreates(PullSecretClient):
    """Creates a new Secret at each rotation."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Delete before writing."""
        if secret:
            await self.delete(namespace, secret)
        return await super().apply(namespace, content, None)


class TouchesNamespaces(PullSecretClient):
    """Writes to the Namespace as well."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Patch the Namespace before writing the Secret."""
        await self._client.request("patch", f"/api/v1/namespaces/{namespace}", body={})
        return await super().apply(namespace, content, secret)


class LogsWhatItWrites(PullSecretClient):
    """Logs the content of the Secret."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Log before writing."""
        auths = [auth.reveal() for auth in content.auths.values()]
        logging.getLogger("pullkeeper.adapters.kubernetes.pull_secrets").debug("writing %s", auths)
        return await super().apply(namespace, content, secret)


class IgnoresVersions(PullSecretClient):
    """Overwrites a Secret whatever its current version."""

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        body = super()._body(namespace, content, secret)
        body["metadata"].pop("resourceVersion", None)
        return body


class DeletesBlindly(PullSecretClient):
    """Deletes without preconditions."""

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:  # noqa: ARG002 -- that is the mutation
        """Delete by name alone."""
        await self._client.request("delete", self._path(namespace), body={})


class IgnoresLabels(ResourceCache[ObservedSecret]):
    """Takes every Secret for a managed one."""

    def __init__(self, enqueue: Callable[[str], None], reports: CacheReports | None = None) -> None:
        super().__init__("secrets", key=lambda secret: (secret.namespace, ""), enqueue=enqueue, reports=reports)

    def get(self, namespace: str, name: str = "") -> ObservedSecret | None:
        """Return the Secret as if it had the label."""
        secret = super().get(namespace, name)
        return replace(secret, managed=True) if secret else None


class FetchesForEachCaller(TokenCache):
    """Calls AWS for each caller."""

    async def get(
        self,
        scope: TokenScope,
        requester: Requester,
        *,
        not_before: datetime | None = None,  # noqa: ARG002 -- the same
    ) -> TokenResult:
        """Fetch a token, whatever is cached."""
        return TokenResult(token=await self._source.fetch(scope, Demand(requester)))


class HasOnePriority(Reconciler):
    """Gives a first Secret no priority over rotations."""

    def priority(self, name: str) -> Priority:  # noqa: ARG002 -- that is the mutation
        """Return the same priority for all."""
        return Priority.ROTATION


class NeverDeletes(Reconciler):
    """Never deletes a Secret."""

    async def _delete(self, name: str, step: Delete) -> Result:  # noqa: ARG002 -- that is the mutation
        """Do nothing."""
        return Result()


class NeverRelists(NamespaceRelister):
    """Lists Namespaces once and relies on the watch after that."""

    async def run(self) -> None:
        """List once."""
        self._handler.replace(*await self._list_namespaces(), watched=True)


def plan_with_any_token(
    desired: DesiredState, secret: ObservedSecret | None, tokens: Mapping[RegistryHost, Token], **others: Any
) -> EntryPlan:
    """Plan as if no held entry could be relied on, so that any token replaces it."""
    return plan_entries(desired, replace(secret, intact=False) if secret else None, tokens, **others)


def guess_on_bad_input(
    real: Callable[[ObservedNamespace, Policy], DesiredState | None],
) -> Callable[[ObservedNamespace, Policy], DesiredState | None]:
    """Wrap the parser of annotations to return a default where they are invalid."""

    def read(namespace: ObservedNamespace, policy: Policy) -> DesiredState | None:
        try:
            return real(namespace, policy)
        except InvalidInputError:
            return wanted(parse(IRELAND))

    return read
