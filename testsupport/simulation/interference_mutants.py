"""Variants of the controller that are broken on purpose, each so that namespaces reach each other in one way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from pullkeeper.adapters.aws.clients import Keys
from pullkeeper.adapters.aws.credentials import Credentials
from pullkeeper.adapters.aws.ecr import Ecr
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.rate_limiter import RateLimiter
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.tokens.call_queue import CallQueue
from pullkeeper.tokens.demand import Demand, Requester
from pullkeeper.tokens.token_cache import TokenCache, TokenResult
from testsupport.examples import wanted


class _MergesKeys(TokenCache):
    """Keeps one entry for scopes that differ in something; the first of them is requested."""

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        self._first: dict[TokenScope, TokenScope] = {}

    async def get(self, scope: TokenScope, requester: Requester, *, not_before: datetime | None = None) -> TokenResult:
        """Get the token of the first scope like this."""
        return await super().get(self._first.setdefault(self.merged(scope), scope), requester, not_before=not_before)

    def merged(self, scope: TokenScope) -> TokenScope:
        """Return what the key is taken for."""
        raise NotImplementedError


class IgnoresVariants(_MergesKeys):
    """Keeps one token for all endpoints of a region."""

    def merged(self, scope: TokenScope) -> TokenScope:
        """Drop FIPS and dual-stack."""
        return replace(scope, fips=False, dual_stack=False)


class IgnoresUids(_MergesKeys):
    """Takes a ServiceAccount that was made anew for the one before."""

    def merged(self, scope: TokenScope) -> TokenScope:
        """Drop the uid."""
        return replace(scope, identity=replace(scope.identity, uid=""))


class TakesItsRegionFromAScope(Ecr):
    """Gives the controller's session the region of whoever needs it first."""

    _is_placed = False

    async def fetch(self, scope: TokenScope, demand: Demand) -> Token:
        """Place the session before the first fetch."""
        if not self._is_placed:
            own = replace(self._own[CONTROLLER.name], region=scope.region)
            self._is_placed, self._credentials._own = True, {CONTROLLER.name: own}  # noqa: SLF001 -- that is the mutation
        return await super().fetch(scope, demand)


class SharesOneLock(Credentials):
    """Obtains the credentials of one identity at a time."""

    def __init__(self, **others: Any) -> None:
        super().__init__(**others)
        self._lock = asyncio.Lock()

    async def get(self, identity: Identity, demand: Demand) -> Keys:
        """Wait for every other identity that has to be assumed."""
        if identity == CONTROLLER:
            return await super().get(identity, demand)
        async with self._lock:
            return await super().get(identity, demand)


class SharesSlots(CallQueue):
    """Has the slots of one region for all of them."""

    @asynccontextmanager
    async def slot(self, service: str, region: str, demands: Sequence[Demand]) -> AsyncIterator[None]:  # noqa: ARG002 -- that is the mutation
        """Wait for every other region."""
        async with super().slot("any", "eu-west-1", demands):
            yield


class Unlimited(RateLimiter):
    """Has no budget."""

    def reserve(self, key: str, now: datetime, cost: float = 1.0) -> datetime:  # noqa: ARG002 -- that is the mutation
        """Let it happen at once."""
        return now

    def allow(self, key: str, now: datetime) -> bool:  # noqa: ARG002 -- that is the mutation
        """Let it be said."""
        return True


def wants_what_the_secret_says(
    namespace: ObservedNamespace,
    secret: ObservedSecret | None,
    policy: Policy,
    last_valid: DesiredState | None,  # noqa: ARG001 -- that is the mutation
) -> DesiredState | None:
    """Take registries and identity from the Secret, as long as the policy allows them."""
    if secret is None or secret.target is None:
        return None
    identity = policy.identity(namespace, secret.target.registries)
    same = set(secret.target.identities.values()) == {identity.name}
    return wanted(*secret.target.registries, identity=identity) if same else None
