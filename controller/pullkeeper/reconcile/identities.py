"""The identities of namespaces, with what their names do not say: who is behind them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.iam.principal import UNKNOWN, Current
from pullkeeper.reconcile.controller_principal import ControllerPrincipal
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.together import all_of
from pullkeeper.tokens.demand import Requester


class ServiceAccountResolver(Protocol):
    """Looks up ServiceAccounts."""

    async def resolve(self, identity: Identity) -> Identity:
        """Return the identity with the ServiceAccount's uid, role and audience; raise FailureError."""
        ...


class PrincipalSource(Protocol):
    """AWS."""

    async def principal(self, requester: Requester, identity: Identity) -> str:
        """Return the principal behind an identity of the controller's, "" if it cannot be told soon; never fails."""
        ...


class Identities:
    """What is known of each namespace's identity beyond its name."""

    def __init__(
        self,
        *,
        controller: ControllerPrincipal,
        source: PrincipalSource,
        service_accounts: ServiceAccountResolver,
        records: NamespaceRecords,
        policy: Callable[[], Policy],
        observed: Callable[[str, str], str],
    ) -> None:
        """`observed` returns the principal behind a ServiceAccount of a namespace, UNKNOWN unless those are watched."""
        self._controller = controller
        self._source = source
        self._service_accounts = service_accounts
        self._records = records
        self._policy = policy
        self._observed = observed

    def known(self, namespace: str, identities: Mapping[RegistryHost, Identity]) -> Mapping[RegistryHost, Identity]:
        """Return identities as they were last looked up; this asks nobody."""
        return {host: self._known(namespace, identity) for host, identity in identities.items()}

    def current_principals(self, namespace: str, identities: Mapping[RegistryHost, Identity]) -> Mapping[str, Current]:
        """Return who is known to be behind each identity now, and since when, by the identity's name."""
        return {each.name: self._current_principal(namespace, each) for each in dict.fromkeys(identities.values())}

    def _known(self, namespace: str, identity: Identity) -> Identity:
        if identity.kind is Kind.CONTROLLER:
            return _behind(identity, self._controller.current(identity).name)
        known = self._records.get(namespace).service_account
        return known if known and known.name == identity.name else identity

    def _current_principal(self, namespace: str, identity: Identity) -> Current:
        if identity.kind is Kind.CONTROLLER:
            return self._controller.current(identity)
        observed = self._observed(*identity.service_account) if identity.kind is Kind.SERVICE_ACCOUNT else UNKNOWN
        return Current(name=observed or self._known(namespace, identity).principal)

    async def look_up(
        self, requester: Requester, identities: Mapping[RegistryHost, Identity]
    ) -> Mapping[RegistryHost, Identity]:
        """Return the identities with which tokens can be requested; raise FailureError."""
        distinct = tuple(dict.fromkeys(identities.values()))
        looked_up = await all_of([self._look_up(requester, each) for each in distinct])
        found = dict(zip(distinct, looked_up, strict=True))
        return {host: found[identity] for host, identity in identities.items()}

    async def _look_up(self, requester: Requester, identity: Identity) -> Identity:
        if identity.kind is Kind.CONTROLLER:
            return _behind(identity, await self._source.principal(requester, identity))
        if identity.kind is Kind.ROLE:
            return identity
        found = await self._service_accounts.resolve(identity)
        self._policy().check_audience(found)
        self._records.get(requester.namespace).service_account = found
        return found


@lru_cache(maxsize=64)
def _behind(identity: Identity, principal: str) -> Identity:
    """Return an identity of the controller with its principal; there are few, and all namespaces ask for them."""
    return replace(identity, principal=principal)
