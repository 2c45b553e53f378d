"""What goes into a pull Secret: for each registry the token that is there or the one that was got."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN = TokenValidity(issued_at=_EPOCH, expires_at=_EPOCH)
"""The times of an entry that nobody knows the age of: it is due at once."""

NO_HOSTS: frozenset[RegistryHost] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPlan:
    """For each registry of a desired state, where its entry comes from."""

    fresh: Mapping[RegistryHost, Token]
    kept: frozenset[RegistryHost]
    """These entries stay as they are, so the Secret must be read before it can be written."""
    complete: bool
    """Every token that was asked for was had, so a `refresh` request is answered."""
    excluded: frozenset[RegistryHost] = NO_HOSTS
    """What these hold is their own: they take neither the token that was got nor what another registry holds."""


def token_scopes(desired: DesiredState) -> frozenset[TokenScope]:
    """List the scopes that a desired state takes a token of; one FIPS host asks the FIPS endpoint for all."""
    found: dict[TokenScope, TokenScope] = {}
    for host in desired.registries:
        scope = TokenScope.of(host, desired.identity)
        before = found.get(scope, scope)
        found[scope] = replace(before, fips=before.fips or host.fips, dual_stack=before.dual_stack or host.dual_stack)
    return frozenset(found.values())


def plan_entries(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Mapping[TokenScope, Token],
    *,
    complete: bool,
    withheld: frozenset[RegistryHost] = NO_HOSTS,
    died: frozenset[RegistryHost] = NO_HOSTS,
) -> EntryPlan:
    """Never worse: an entry is replaced only by a token that does not expire earlier, nor where that is withheld.

    What has `died` before its time is worse than any token that was had.
    """
    held = _held(desired, secret)
    intact = secret is not None and secret.intact
    # Where nobody can read any more what is held, there may be something all the same.
    unreadable = secret is not None and secret.managed and secret.record is None
    fresh: dict[RegistryHost, Token] = {}
    kept: set[RegistryHost] = set()
    for host in desired.registries:
        token = None if host in withheld else tokens.get(TokenScope.of(host, desired.identity))
        before = held.validity_of(host) if held and host in held.registries else None
        trusted = intact and host not in died
        if token and not (trusted and before and token.expires_at < before.expires_at):
            fresh[host] = token
        elif before or unreadable or (host not in withheld and _shares(host, held)):
            kept.add(host)
    return EntryPlan(fresh=fresh, kept=frozenset(kept), complete=complete, excluded=withheld)


def build_secret(
    desired: DesiredState,
    secret: ObservedSecret | None,
    choice: EntryPlan,
    auths: Mapping[RegistryHost, Password],
) -> PullSecret | None:
    """Put the content together; `auths` is what the Secret holds, read only if something is kept.

    None means that there is nothing to write: no entry at all, nothing that differs, or a registry that is still wanted
    would be lost.
    """
    if not needs_write(desired, secret, choice):
        return None
    sources = {host: _source(host, desired, secret, choice, auths) for host in choice.kept}
    entries = {host: token.auth for host, token in choice.fresh.items()}
    entries |= {host: auths[source] for host, source in sources.items() if source in auths}
    if not entries or _loses(entries, desired, secret):
        return None
    published = _published(desired, secret, choice, {host: sources.get(host, host) for host in entries})
    return PullSecret(record=published, auths=entries)


def needs_write(desired: DesiredState, secret: ObservedSecret | None, choice: EntryPlan) -> bool:
    """Whether writing would change anything, told before the Secret is read."""
    if secret is None or secret.record is None or not secret.intact:
        return bool(choice.fresh)
    return _published(desired, secret, choice, {host: host for host in (*choice.kept, *choice.fresh)}) != secret.record


def _held(desired: DesiredState, secret: ObservedSecret | None) -> SecretRecord | None:
    """Give what is held as the identity that is wanted; another's token is worth nothing."""
    published = secret.record if secret else None
    return published if published and published.identity == desired.identity else None


def _shares(host: RegistryHost, held: SecretRecord | None) -> bool:
    return held is not None and TokenScope.of(host, held.identity) in held.tokens


def _source(
    host: RegistryHost,
    desired: DesiredState,
    secret: ObservedSecret | None,
    choice: EntryPlan,
    auths: Mapping[RegistryHost, Password],
) -> RegistryHost:
    """Find the registry whose entry a kept one takes: itself, or else one that holds the token of its scope."""
    if host in auths or host in choice.excluded:
        return host
    held, scope = _held(desired, secret), TokenScope.of(host, desired.identity)
    apart = held.per_registry if held else {}
    fitting = (each for each in sorted(auths) if TokenScope.of(each, desired.identity) == scope and each not in apart)
    return next(fitting, host)


def _loses(entries: Mapping[RegistryHost, Password], desired: DesiredState, secret: ObservedSecret | None) -> bool:
    if secret is None or secret.record is None or not secret.intact:
        return False
    return bool(set(secret.record.registries) & set(desired.registries) - entries.keys())


def _published(
    desired: DesiredState,
    secret: ObservedSecret | None,
    choice: EntryPlan,
    sources: Mapping[RegistryHost, RegistryHost],
) -> SecretRecord:
    """Describe what each registry gets, from which registry's entry where it is kept."""
    held, before = _held(desired, secret), secret.record if secret else None
    refresh = desired.refresh_requested_at if choice.complete else (before.refresh_requested_at if before else None)
    times = {
        host: choice.fresh[host].validity if host in choice.fresh else _times(source, held)
        for host, source in sources.items()
    }
    return SecretRecord.of(times, desired.identity, refresh)


def _times(host: RegistryHost, held: SecretRecord | None) -> TokenValidity:
    return held.validity_of(host) if held and _shares(host, held) else _UNKNOWN
