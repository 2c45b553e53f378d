"""Controllers that are broken on purpose, each in one thing, to prove that the checkers would notice."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from controller.core.annotations import DesiredState
from controller.core.content import Choice
from controller.core.identity import TokenScope
from controller.core.namespace import NamespaceView
from controller.core.observed_secret import ObservedSecret
from controller.core.policy import Policy
from controller.core.problem import InvalidInputError
from controller.core.pull_secret import PullSecret
from controller.core.registry_host import RegistryHost, parse
from controller.core.schedule import Lane
from controller.doors.cluster import Cluster
from controller.inventory import Inventory
from controller.pull_secrets import PullSecrets
from controller.reconciler import Reconciler
from controller.tokens import Answer, Tokens
from tests.simulation.scenarios import IRELAND


class DropsARegistry(Cluster):
    """Leaves the last host out of whatever it writes over."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write too little."""
        auths = dict(sorted(content.auths.items())[: -1 if secret else None])
        return await super().apply(namespace, replace(content, auths=auths), secret)


class DeletesAndCreates(Cluster):
    """Makes a new Secret at each rotation."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Delete first."""
        if secret:
            await self.delete(namespace, secret)
        return await super().apply(namespace, content, None)


class TouchesNamespaces(Cluster):
    """Notes on the Namespace what it has done."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write to the Namespace as well."""
        await self._connection.request("patch", f"/api/v1/namespaces/{namespace}", body={})
        return await super().apply(namespace, content, secret)


class LogsWhatItWrites(Cluster):
    """Has a careless log line."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Log the data."""
        auths = [auth.reveal() for auth in content.auths.values()]
        logging.getLogger("controller.doors.cluster").debug("writing %s", auths)
        return await super().apply(namespace, content, secret)


class IgnoresVersions(Cluster):
    """Writes over whatever is there now, seen or not."""

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        body = super()._body(namespace, content, secret)
        body["metadata"].pop("resourceVersion", None)
        return body


class DeletesBlindly(Cluster):
    """Deletes by name alone."""

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:  # noqa: ARG002 -- that is the mutation
        """Delete without preconditions."""
        await self._connection.request("delete", self._path(namespace), body={})


class TakesEverySecretForOurs(PullSecrets):
    """Sees our label on everything."""

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give what is there as if it were ours."""
        secret = super().get(namespace)
        return replace(secret, managed=True) if secret else None


class SharesNothing(Tokens):
    """Asks AWS for each namespace anew."""

    async def get(self, scope: TokenScope, *, since: datetime | None = None) -> Answer:  # noqa: ARG002 -- the same
        """Fetch, whatever is at hand."""
        return Answer(token=await self._source.fetch(scope))


class HasOneLane(Reconciler):
    """Lets a first Secret wait in the line of the rotations."""

    def lane(self, name: str) -> Lane:  # noqa: ARG002 -- that is the mutation
        """Give the same lane to all."""
        return Lane.ROTATION


class KeepsWhatIsOptedOut(Reconciler):
    """Never removes a Secret."""

    async def _remove(self, name: str, secret: ObservedSecret) -> None:
        """Do nothing."""


class TrustsTheWatch(Inventory):
    """Lists once, and believes that no event is ever lost."""

    async def audit(self, listing: Callable[[], Awaitable[Any]], *, every: timedelta, **_: Any) -> None:  # noqa: ARG002 -- the real one's argument
        """List once."""
        self.replace(*await listing())


def takes_any_token(
    desired: DesiredState,
    secret: ObservedSecret | None,  # noqa: ARG001 -- that is the mutation
    tokens: Mapping[TokenScope, Any],
    *,
    complete: bool,
    **_: frozenset[RegistryHost],
) -> Choice:
    """Choose, like `content.choose`, but without a look at what is there."""
    scoped = {host: TokenScope.of(host, desired.identity) for host in desired.registries}
    fresh = {host: tokens[scope] for host, scope in scoped.items() if scope in tokens}
    return Choice(fresh=fresh, kept=frozenset(), complete=complete)


def guesses_on_bad_input(
    real: Callable[[NamespaceView, Policy], DesiredState | None],
) -> Callable[[NamespaceView, Policy], DesiredState | None]:
    """Read annotations, but make something up where they are wrong."""

    def read(view: NamespaceView, policy: Policy) -> DesiredState | None:
        try:
            return real(view, policy)
        except InvalidInputError:
            return DesiredState(registries=(parse(IRELAND),))

    return read
