"""Which entry each registry gets in a pull Secret: a fresh token, the entry that is there, or none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pullkeeper.domain.ecr.credential import UNKNOWN_VALIDITY, Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope, scope_label
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.secret_record import SecretRecord

NO_HOSTS: frozenset[RegistryHost] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Keep the registry's own entry, or take the entry that the other registries of its scope share."""

    identity: str
    """The name of the identity that the entry was fetched as."""
    validity: TokenValidity
    """Validity of the registry's own entry."""
    shared: TokenValidity | None = None
    """Validity of the shared entry; None for a registry that takes no other registry's entry."""


Decision = Token | Kept | None
"""Write this fresh token, keep an entry, or leave the registry out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPlan:
    """One decision for each registry of a desired state, made before the Secret's data is read."""

    decisions: Mapping[RegistryHost, Decision]
    identities: Mapping[RegistryHost, str]
    """The name of the identity that each registry is desired to have a token of."""
    refresh_requested_at: str | None
    """The refresh request that the Secret will have answered once it is written."""
    opted_in_by: OptIn
    installation_class: str
    sharers: Mapping[RegistryHost, str] = field(default_factory=dict)
    """Registries whose entry others of the same scope may take, each with the name of the entry's identity."""
    current: SecretRecord | None = None
    """What the Secret holds; None without a Secret, or if its content cannot be relied on."""
    kept_principals: Mapping[str, str] = field(default_factory=dict)
    """The principal of the entries to keep, by identity."""

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
        validities = {host: found.validity for host, found in self.decisions.items() if found}
        return validities != self.current.held or self.record(validities) != self.current

    def record(self, validities: Mapping[RegistryHost, TokenValidity]) -> SecretRecord:
        """Describe a Secret that holds tokens of these validities."""
        return SecretRecord(
            held=validities,
            identities={host: self._identity(host) for host in validities},
            principals=dict(self._principals()),
            refresh_requested_at=self.refresh_requested_at,
            opted_in_by=self.opted_in_by,
            installation_class=self.installation_class,
        )

    def _identity(self, host: RegistryHost) -> str:
        decision = self.decisions[host]
        return decision.identity if isinstance(decision, Kept) else self.identities[host]

    def _principals(self) -> Iterator[tuple[str, str]]:
        """Yield the principal of each identity's oldest token, as far as it is known.

        A Secret never says a new one while it holds a token of an old one.
        """
        kept = {decision.identity for decision in self.kept.values()}
        yield from ((name, known) for name, known in self.kept_principals.items() if name in kept)
        for name in {self.identities[host] for host in self.fresh} - kept:
            tokens = (token for host, token in self.fresh.items() if self.identities[host] == name)
            oldest = min(tokens, key=lambda token: token.issued_at)
            if oldest.principal:
                yield name, oldest.principal


def hosts_by_scope(identities: Mapping[RegistryHost, Identity]) -> Mapping[TokenScope, Sequence[RegistryHost]]:
    """Return the scopes that a token is needed of, in the order of their labels, each with its registries."""
    found: dict[TokenScope, list[RegistryHost]] = {}
    for host, identity in sorted(identities.items(), key=lambda each: (scope_label(each[0]), each[1].name, each[0])):
        found.setdefault(TokenScope.of(host, identity), []).append(host)
    return found


def plan_entries(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Mapping[RegistryHost, Token],
    *,
    complete: bool,
    excluded: frozenset[RegistryHost] = NO_HOSTS,
    revoked: frozenset[RegistryHost] = NO_HOSTS,
) -> EntryPlan:
    """Decide for each registry whether it gets a fresh token, keeps an entry, or stays without one.

    `tokens` are those that were obtained for each registry, as its desired identity.
    Replace an entry only with a token that expires no earlier, and never for an excluded registry; any token replaces
    an entry that was revoked, that somebody has edited, or that was issued to another identity or principal. Until
    there is one, an entry of another identity stays as it is, and so does any entry of a refused identity. `complete`
    says that every token asked for was obtained, so that a refresh request is answered.
    """
    record = secret.record if secret else None
    intact = secret is not None and secret.intact
    unreadable = secret is not None and secret.managed and record is None
    answered = desired if complete else record
    refused = {host: name for host, name in desired.refused.items() if record is None or host in record.held}
    names, shared_tokens = {**desired.identity_names, **refused}, record.shared if record else {}

    def decide(host: RegistryHost) -> Decision:
        name, token = names[host], None if host in excluded else tokens.get(host)
        held_as, own = (record.identities.get(host), record.held.get(host)) if record else (None, None)
        if token and (host in revoked or not intact or record is None or _may_replace(token, record, host, name)):
            return token
        if unreadable:
            # Its entries may be good although their age is unknown.
            shared = None if host in excluded else UNKNOWN_VALIDITY
            return Kept(identity=name, validity=UNKNOWN_VALIDITY, shared=shared)
        if own and (host in excluded or held_as != name):
            return Kept(identity=held_as or name, validity=own)
        shared = None if host in excluded else shared_tokens.get((name, scope_label(host)))
        return Kept(identity=name, validity=own or shared, shared=shared) if shared else None

    return EntryPlan(
        decisions={host: decide(host) for host in sorted(names)},
        identities=names,
        refresh_requested_at=answered.refresh_requested_at if answered else None,
        opted_in_by=desired.opted_in_by,
        installation_class=desired.installation_class,
        sharers=_sharers(record, shared_tokens) if record else names,
        current=record if intact else None,
        kept_principals=record.principals if record else {},
    )


def _may_replace(token: Token, record: SecretRecord, host: RegistryHost, name: str) -> bool:
    """Whether a token of this identity may take the place of what an intact Secret holds for a registry."""
    own = record.held.get(host)
    if own is None or record.identities[host] != name or token.expires_at >= own.expires_at:
        return True
    return record.is_of_another(name, token.principal)


def _sharers(record: SecretRecord, shared: Mapping[tuple[str, str], TokenValidity]) -> Mapping[RegistryHost, str]:
    return {
        host: name for host, name in record.identities.items() if record.held[host] == shared[name, scope_label(host)]
    }


def build_secret(plan: EntryPlan, auths: Mapping[RegistryHost, Password]) -> PullSecret | None:
    """Build the content to write; `auths` are the Secret's entries, read only if the plan keeps any.

    Return None if there is nothing to write: no entry, no change, or an entry that is still wanted would be lost.
    """
    shared = {(plan.sharers[host], scope_label(host)): auth for host, auth in auths.items() if host in plan.sharers}
    resolved = {
        host: entry
        for host, decision in plan.decisions.items()
        if (entry := _resolve(decision, auths.get(host), shared.get((plan.identities[host], scope_label(host)))))
    }
    lost = plan.current and set(plan.current.registries) & plan.decisions.keys() - resolved.keys()
    if lost or not resolved or not plan.needs_write:
        return None
    record = plan.record({host: validity for host, (_, validity) in resolved.items()})
    return PullSecret(record=record, auths={host: auth for host, (auth, _) in resolved.items()})


def _resolve(
    decision: Decision, own: Password | None, shared: Password | None
) -> tuple[Password, TokenValidity] | None:
    match decision:
        case Token():
            return decision.auth, decision.validity
        case Kept() if own:
            return own, decision.validity
        case Kept(shared=TokenValidity() as validity) if shared:
            return shared, validity
    return None
