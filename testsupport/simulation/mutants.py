"""Controllers that are broken on purpose, each in one thing, to prove that the checkers would notice."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.reconcile.caches import ResourceCache
from pullkeeper.reconcile.namespace_relister import NamespaceRelister
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.result import Result
from pullkeeper.tokens.token_cache import TokenCache, TokenResult
from testsupport.simulation.scenarios import IRELAND


class DropsARegistry(PullSecretClient):
    """Leaves the last host out of whatever it writes over."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write too little."""
        auths = dict(sorted(content.auths.items())[: -1 if secret else None])
        return await super().apply(namespace, replace(content, auths=auths), secret)


class DeletesAndCreates(PullSecretClient):
    """Makes a new Secret at each rotation."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Delete first."""
        if secret:
            await self.delete(namespace, secret)
        return await super().apply(namespace, content, None)


class TouchesNamespaces(PullSecretClient):
    """Notes on the Namespace what it has done."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write to the Namespace as well."""
        await self._client.request("patch", f"/api/v1/namespaces/{namespace}", body={})
        return await super().apply(namespace, content, secret)


class LogsWhatItWrites(PullSecretClient):
    """Has a careless log line."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Log the data."""
        auths = [auth.reveal() for auth in content.auths.values()]
        logging.getLogger("pullkeeper.adapters.kubernetes.pull_secrets").debug("writing %s", auths)
        return await super().apply(namespace, content, secret)


class IgnoresVersions(PullSecretClient):
    """Writes over whatever is there now, seen or not."""

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        body = super()._body(namespace, content, secret)
        body["metadata"].pop("resourceVersion", None)
        return body


class DeletesBlindly(PullSecretClient):
    """Deletes by name alone."""

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:  # noqa: ARG002 -- that is the mutation
        """Delete without preconditions."""
        await self._client.request("delete", self._path(namespace), body={})


class TakesEverySecretForOurs(ResourceCache[ObservedSecret]):
    """Sees our label on everything."""

    def __init__(self, enqueue: Callable[[str], None]) -> None:
        super().__init__("pull Secrets", key=lambda secret: (secret.namespace, ""), enqueue=enqueue)

    def get(self, namespace: str, name: str = "") -> ObservedSecret | None:
        """Give what is there as if it were ours."""
        secret = super().get(namespace, name)
        return replace(secret, managed=True) if secret else None


class SharesNothing(TokenCache):
    """Asks AWS for each namespace anew."""

    async def get(self, scope: TokenScope, *, not_before: datetime | None = None) -> TokenResult:  # noqa: ARG002 -- the same
        """Fetch, whatever is at hand."""
        return TokenResult(token=await self._source.fetch(scope))


class HasOneLane(Reconciler):
    """Lets a first Secret wait in the line of the rotations."""

    def priority(self, name: str) -> Priority:  # noqa: ARG002 -- that is the mutation
        """Give the same priority to all."""
        return Priority.ROTATION


class KeepsWhatIsOptedOut(Reconciler):
    """Never removes a Secret."""

    async def _delete(self, name: str, secret: ObservedSecret) -> Result:  # noqa: ARG002 -- that is the mutation
        """Do nothing."""
        return Result()


class TrustsTheWatch(NamespaceRelister):
    """Lists once, and believes that no event is ever lost."""

    async def run(self) -> None:
        """List once."""
        self._handler.replace(*await self._list_namespaces())


def takes_any_token(
    desired: DesiredState, secret: ObservedSecret | None, tokens: Mapping[TokenScope, Any], **others: Any
) -> EntryPlan:
    """Plan as if no held entry could be relied on, so that any token replaces it."""
    return plan_entries(desired, replace(secret, intact=False) if secret else None, tokens, **others)


def guesses_on_bad_input(
    real: Callable[[ObservedNamespace, Policy], DesiredState | None],
) -> Callable[[ObservedNamespace, Policy], DesiredState | None]:
    """Read annotations, but make something up where they are wrong."""

    def read(view: ObservedNamespace, policy: Policy) -> DesiredState | None:
        try:
            return real(view, policy)
        except InvalidInputError:
            return DesiredState(registries=(parse(IRELAND),))

    return read
