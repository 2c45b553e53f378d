"""What goes into a pull Secret: for each scope the token that is there or the one that was got, whichever is better."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controller.core.annotations import DesiredState
from controller.core.credential import Password, Token, TokenTimes
from controller.core.identity import TokenScope
from controller.core.observed_secret import ObservedSecret
from controller.core.pull_secret import Published, PullSecret
from controller.core.registry_host import RegistryHost

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN = TokenTimes(issued_at=_EPOCH, expires_at=_EPOCH)
"""The times of an entry that nobody knows the age of: it is due at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """For each scope of a desired state, where its entry comes from."""

    fresh: Mapping[TokenScope, Token]
    kept: frozenset[TokenScope]
    """These entries stay as they are, so the Secret must be read before it can be written."""
    complete: bool
    """Every token that was asked for was had, so a `refresh` request is answered."""


def scopes(desired: DesiredState) -> frozenset[TokenScope]:
    """List the scopes that a desired state takes a token of; one FIPS host asks the FIPS endpoint for all."""
    found: dict[TokenScope, TokenScope] = {}
    for host in desired.registries:
        scope = TokenScope.of(host, desired.identity)
        before = found.get(scope, scope)
        found[scope] = replace(before, fips=before.fips or host.fips, dual_stack=before.dual_stack or host.dual_stack)
    return frozenset(found.values())


def choose(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Mapping[TokenScope, Token],
    *,
    complete: bool,
) -> Choice:
    """Never worse: an entry is replaced only by a token that does not expire earlier."""
    held = secret.published.tokens if secret and secret.published else {}
    trusted = secret is not None and secret.intact
    # Where nobody can read any more what is held, there may be something all the same.
    unreadable = secret is not None and secret.managed and secret.published is None
    perhaps = scopes(desired) if unreadable else held.keys()
    kept = {
        scope
        for scope in scopes(desired) & perhaps
        if scope not in tokens or (trusted and tokens[scope].expires_at < held[scope].expires_at)
    }
    wanted = scopes(desired) - kept
    fresh = {scope: token for scope, token in tokens.items() if scope in wanted}
    return Choice(fresh=fresh, kept=frozenset(kept), complete=complete)


def compose(
    desired: DesiredState,
    secret: ObservedSecret | None,
    choice: Choice,
    auths: Mapping[RegistryHost, Password],
) -> PullSecret | None:
    """Put the content together; `auths` is what the Secret holds, read only if something is kept.

    None means that there is nothing to write: no entry at all, nothing that differs, or a registry that is still wanted
    would be lost.
    """
    if not differs(desired, secret, choice):
        return None
    held = secret.published if secret else None
    passwords = {scope: token.auth for scope, token in choice.fresh.items()}
    for host, auth in auths.items():
        scope = TokenScope.of(host, desired.identity)
        if scope in choice.kept:
            passwords.setdefault(scope, auth)
    entries = _entries(desired, passwords)
    if not entries or _loses(entries, desired, secret):
        return None
    return PullSecret(published=_published(desired, held, choice, entries), auths=entries)


def differs(desired: DesiredState, secret: ObservedSecret | None, choice: Choice) -> bool:
    """Whether writing would change anything, told before the Secret is read."""
    held = secret.published if secret else None
    if secret is None or held is None or not secret.intact:
        return bool(choice.fresh)
    reachable = choice.kept | choice.fresh.keys()
    hosts = [host for host in desired.registries if TokenScope.of(host, desired.identity) in reachable]
    return _published(desired, held, choice, hosts) != held


def _entries(desired: DesiredState, passwords: Mapping[TokenScope, Password]) -> dict[RegistryHost, Password]:
    scoped = {host: TokenScope.of(host, desired.identity) for host in desired.registries}
    return {host: passwords[scope] for host, scope in scoped.items() if scope in passwords}


def _loses(entries: Mapping[RegistryHost, Password], desired: DesiredState, secret: ObservedSecret | None) -> bool:
    if secret is None or secret.published is None or not secret.intact:
        return False
    return bool(set(secret.published.registries) & set(desired.registries) - entries.keys())


def _published(
    desired: DesiredState, held: Published | None, choice: Choice, hosts: Iterable[RegistryHost]
) -> Published:
    hosts = tuple(sorted(hosts))
    before = held.tokens if held else {}
    tokens = {
        scope: choice.fresh[scope].times if scope in choice.fresh else before.get(scope, _UNKNOWN)
        for scope in {TokenScope.of(host, desired.identity) for host in hosts}
    }
    refresh = desired.refresh if choice.complete else (held.refresh if held else None)
    return Published(registries=hosts, identity=desired.identity, tokens=tokens, refresh=refresh)
