"""Which entry each registry gets in a pull Secret: a fresh token, the entry that is there, or none."""

from collections.abc import Mapping
from dataclasses import dataclass

from pullkeeper.domain.ecr.credential import UNKNOWN_VALIDITY, Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope, scope_label
from pullkeeper.domain.iam import principal
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord

NO_HOSTS: frozenset[RegistryHost] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Keep the registry's own entry, or take the entry that the other registries of its scope share."""

    validity: TokenValidity
    """Validity of the registry's own entry."""
    shared: TokenValidity | None
    """Validity of the shared entry; None for an excluded registry, which takes no other registry's entry."""


Decision = Token | Kept | None
"""Write this fresh token, keep an entry, or leave the registry out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPlan:
    """One decision for each registry of a desired state, made before the Secret's data is read."""

    decisions: Mapping[RegistryHost, Decision]
    identity: str
    refresh_requested_at: str | None
    """The refresh request that the Secret will have answered once it is written."""
    opted_in_by: OptIn
    unshared: frozenset[RegistryHost] = NO_HOSTS
    """Registries whose entry is not their scope's shared one, so no other registry takes it."""
    current: SecretRecord | None = None
    """What the Secret holds; None without a Secret, or if its content cannot be relied on."""
    kept_principal: str = principal.UNKNOWN
    """The principal of the entries to keep."""

    @property
    def fresh(self) -> Mapping[RegistryHost, Token]:
        """The tokens to write."""
        return {host: found for host, found in self.decisions.items() if isinstance(found, Token)}

    @property
    def kept(self) -> Mapping[RegistryHost, Kept]:
        """The entries to keep: unless this is empty, the Secret's data must be read before it is written."""
        return {host: found for host, found in self.decisions.items() if isinstance(found, Kept)}

    @property
    def needs_write(self) -> bool:
        """Whether the Secret would change."""
        if self.current is None:
            return bool(self.fresh)
        return self.record({host: found.validity for host, found in self.decisions.items() if found}) != self.current

    def record(self, validities: Mapping[RegistryHost, TokenValidity]) -> SecretRecord:
        """Describe a Secret that holds tokens of these validities."""
        return SecretRecord.of(validities, self.identity, self.refresh_requested_at, self.opted_in_by, self._principal)

    @property
    def _principal(self) -> str:
        """The principal of the oldest token: a Secret never says a new one while it holds a token of an old one."""
        if self.kept:
            return self.kept_principal
        oldest = min(self.fresh.values(), key=lambda token: token.issued_at, default=None)
        return oldest.principal if oldest else principal.UNKNOWN


def token_scopes(desired: DesiredState) -> tuple[TokenScope, ...]:
    """Return the scopes that a desired state needs a token of, sorted by their labels."""
    scopes = {TokenScope.of(host, desired.identity) for host in desired.registries}
    return tuple(sorted(scopes, key=lambda scope: scope.label))


def plan_entries(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Mapping[str, Token],
    *,
    complete: bool,
    excluded: frozenset[RegistryHost] = NO_HOSTS,
    revoked: frozenset[RegistryHost] = NO_HOSTS,
) -> EntryPlan:
    """Decide for each registry whether it gets a fresh token, keeps an entry, or stays without one.

    `tokens` are those of the desired identity, by the labels of their scopes.
    Replace an entry only with a token that expires no earlier, and never for an excluded registry; any token replaces
    an entry that was revoked, that somebody has edited, or that was issued to another principal. `complete` says that
    every token asked for was obtained, so that a refresh request is answered.
    """
    record = secret.record if secret else None
    # Tokens of another identity are of no use to the desired one.
    held = record if record and record.identity == desired.identity.name else None
    intact = secret is not None and secret.intact
    unreadable = secret is not None and secret.managed and record is None
    answered = desired if complete else record
    held_by = held.principal if held else principal.UNKNOWN

    def decide(host: RegistryHost) -> Decision:
        label = scope_label(host)
        token = None if host in excluded else tokens.get(label)
        own = held.validity_of(host) if held and host in held.registries else None
        shared = held.tokens.get(label) if held else None
        may_be_older = host in revoked or not intact or (token and principal.differ(token.principal, held_by))
        if token and (own is None or may_be_older or token.expires_at >= own.expires_at):
            return token
        if unreadable:
            # Its entries may be good although their age is unknown.
            return Kept(validity=UNKNOWN_VALIDITY, shared=None if host in excluded else UNKNOWN_VALIDITY)
        if host in excluded:
            return Kept(validity=own, shared=None) if own else None
        return Kept(validity=own or shared, shared=shared) if shared else None

    return EntryPlan(
        decisions={host: decide(host) for host in desired.registries},
        identity=desired.identity.name,
        refresh_requested_at=answered.refresh_requested_at if answered else None,
        opted_in_by=desired.opted_in_by,
        unshared=frozenset(held.per_registry) if held else NO_HOSTS,
        current=record if intact else None,
        kept_principal=held_by,
    )


def build_secret(plan: EntryPlan, auths: Mapping[RegistryHost, Password]) -> PullSecret | None:
    """Build the content to write; `auths` are the Secret's entries, read only if the plan keeps any.

    Return None if there is nothing to write: no entry, no change, or an entry that is still wanted would be lost.
    """
    shared = {scope_label(host): auths[host] for host in sorted(auths, reverse=True) if host not in plan.unshared}
    resolved = {
        host: entry
        for host, decision in plan.decisions.items()
        if (entry := _resolve(decision, own=auths.get(host), shared=shared.get(scope_label(host))))
    }
    lost = plan.current and set(plan.current.registries) & plan.decisions.keys() - resolved.keys()
    if lost or not resolved or not plan.needs_write:
        return None
    record = plan.record({host: validity for host, (_, validity) in resolved.items()})
    return PullSecret(record=record, auths={host: auth for host, (auth, _) in resolved.items()})


def _resolve(
    decision: Decision, *, own: Password | None, shared: Password | None
) -> tuple[Password, TokenValidity] | None:
    match decision:
        case Token():
            return decision.auth, decision.validity
        case Kept() if own:
            return own, decision.validity
        case Kept(shared=TokenValidity() as validity) if shared:
            return shared, validity
    return None
