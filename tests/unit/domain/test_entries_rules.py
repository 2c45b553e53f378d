"""The rules for a pull Secret's content, whatever it holds, whatever is desired and whichever tokens were obtained."""

from hypothesis import assume, given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import Password, Token, TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope, scope_label
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.iam.principal import differ
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan, build_secret, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord
from testsupport.examples import HOSTS, auth, managed, publications, refreshes, scope, some_hosts, tokens, wanted

Hosts = frozenset[RegistryHost]
Situation = tuple[ObservedSecret | None, dict[TokenScope, Token], Hosts, Hosts, bool]
"""The observed Secret, the tokens, the excluded and the revoked registries, and whether every token was obtained."""


def entry(host: RegistryHost) -> Password:
    """Give each registry an entry of its own."""
    return auth(f"held-{HOSTS.index(host)}")


def holding(hosts: set[RegistryHost]) -> dict[RegistryHost, Password]:
    return {host: entry(host) for host in hosts}


desired_states = st.builds(lambda hosts, refresh: wanted(*hosts, refresh_requested_at=refresh), some_hosts, refreshes)
readable_secrets = st.builds(lambda record, intact: managed(record, intact=intact), publications(), st.booleans())
secrets = st.none() | st.just(managed(None, intact=False)) | readable_secrets
obtained = st.dictionaries(st.sampled_from(HOSTS).map(scope), tokens)
host_sets = st.frozensets(st.sampled_from(HOSTS))
data = st.sets(st.sampled_from(HOSTS)).map(holding)
situations = st.tuples(secrets, obtained, host_sets, host_sets, st.booleans())


def entry_plan(desired: DesiredState, situation: Situation) -> EntryPlan:
    secret, tokens_, excluded, revoked, complete = situation
    return plan_entries(
        desired, secret, by_host(desired, tokens_), complete=complete, excluded=excluded, revoked=revoked
    )


def by_host(desired: DesiredState, tokens_: dict[TokenScope, Token]) -> dict[RegistryHost, Token]:
    return {host: tokens_[scope(host)] for host in desired.registries if scope(host) in tokens_}


def principal_of(record: SecretRecord) -> str:
    return record.principals.get(CONTROLLER.name, "")


def validities(record: SecretRecord) -> dict[RegistryHost, TokenValidity]:
    return {host: record.held[host] for host in record.registries}


@given(desired_states, situations)
def test_fresh_tokens_are_never_worse(desired: DesiredState, situation: Situation) -> None:
    """No registry gets an earlier expiry than that of a living token, and no excluded one gets the token."""
    secret, tokens_, excluded, revoked, _ = situation
    found = entry_plan(desired, situation)
    held = validities(secret.record) if secret and secret.record else {}
    assert found.decisions.keys() == set(desired.registries)
    assert not found.fresh.keys() & excluded
    for host, token in found.fresh.items():
        assert token is tokens_[scope(host)]
        worthless = host not in held or host in revoked or not (secret and secret.intact)
        held_by = principal_of(secret.record) if secret and secret.record else ""
        assert worthless or differ(held_by, token.principal) or token.expires_at >= held[host].expires_at


@given(desired_states, situations)
def test_every_available_entry_is_used(desired: DesiredState, situation: Situation) -> None:
    """A registry is left out only without an own entry, a token that it may have and an entry of its scope."""
    secret, tokens_, excluded, _, _ = situation
    record = secret.record if secret else None
    for host, decision in entry_plan(desired, situation).decisions.items():
        own = record is not None and host in record.registries
        given_ = host not in excluded and (scope(host) in tokens_ or (record and scope_label(host) in record.tokens))
        unreadable = secret is not None and record is None
        assert (decision is not None) is bool(own or given_ or unreadable)


@given(desired_states, situations, data)
def test_writes_are_never_worse(
    desired: DesiredState, situation: Situation, auths: dict[RegistryHost, Password]
) -> None:
    """No desired registry of an intact Secret is lost, and each entry is a token of its own scope."""
    secret, _, excluded, _, _ = situation
    found = entry_plan(desired, situation)
    content = build_secret(found, auths)
    assume(content is not None)
    assert content is not None
    assert set(content.auths) == set(content.record.registries) <= set(desired.registries)
    assert set(content.record.tokens) == {scope_label(host) for host in content.auths}
    if secret and secret.intact and secret.record:
        assert set(secret.record.registries) & set(desired.registries) <= set(content.auths)
    for host, password in content.auths.items():
        shared = [entry(each) for each in auths if scope(each) == scope(host)]
        kept = [entry(host)] if host in excluded or host in auths else shared
        assert password in (kept if host in found.kept else [found.fresh[host].auth])
    assert content.data()


@given(desired_states, readable_secrets, obtained, host_sets, host_sets)
def test_record_matches_the_entries(
    desired: DesiredState, secret: ObservedSecret, tokens_: dict[TokenScope, Token], excluded: Hosts, revoked: Hosts
) -> None:
    """The validity recorded for a registry is that of its entry, and the Secret's expiry is the earliest."""
    assert secret.record is not None
    before = validities(secret.record)
    found = entry_plan(desired, (secret, tokens_, excluded, revoked, True))
    content = build_secret(found, holding(set(before)))
    assume(content is not None)
    assert content is not None
    by_entry = {entry(host): validity for host, validity in before.items()}
    for host, validity in validities(content.record).items():
        fresh = found.fresh.get(host)
        assert validity == (fresh.validity if fresh else by_entry[content.auths[host]])
    assert content.record.expires_at == min(each.expires_at for each in validities(content.record).values())


@given(desired_states, readable_secrets, obtained, host_sets, host_sets)
def test_secret_never_says_a_new_principal_while_it_holds_an_old_ones_token(
    desired: DesiredState, secret: ObservedSecret, tokens_: dict[TokenScope, Token], excluded: Hosts, revoked: Hosts
) -> None:
    """While an entry is kept it says what it said before, else whose its oldest token is."""
    assert secret.record is not None
    found = entry_plan(desired, (secret, tokens_, excluded, revoked, True))
    content = build_secret(found, holding(set(secret.record.registries)))
    assume(content is not None)
    assert content is not None
    oldest = min(found.fresh.values(), key=lambda token: token.issued_at, default=None)
    expected = oldest.principal if oldest and not found.kept else principal_of(secret.record)
    assert principal_of(content.record) == expected


@given(desired_states, situations, data)
def test_needs_write_is_decided_before_the_secret_is_read(
    desired: DesiredState, situation: Situation, auths: dict[RegistryHost, Password]
) -> None:
    """Without a need nothing is written, whatever the data; and what is written over an intact Secret differs."""
    found = entry_plan(desired, situation)
    content = build_secret(found, auths)
    assert content is None or (found.needs_write and content.record != found.current)


@given(desired_states, obtained, host_sets, st.booleans())
def test_second_write_is_never_needed(
    desired: DesiredState,
    tokens_: dict[TokenScope, Token],
    excluded: Hosts,
    complete: bool,  # noqa: FBT001 -- hypothesis passes arguments by position
) -> None:
    """Once written, the same tokens cause no second write."""
    content = build_secret(entry_plan(desired, (None, tokens_, excluded, frozenset(), complete)), {})
    assume(content is not None)
    assert content is not None
    again = entry_plan(desired, (managed(content.record), tokens_, excluded, frozenset(), complete))
    assert not again.needs_write
