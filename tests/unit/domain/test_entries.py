"""Which entry each registry gets in a pull Secret, and when the Secret is written at all."""

from dataclasses import replace
from typing import Any

import pytest

from pullkeeper.domain.ecr.credential import UNKNOWN_VALIDITY, Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import NO_HOSTS, EntryPlan, Kept, build_secret, hosts_by_scope, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    PUBLIC,
    ROLE_A,
    ROLE_B,
    US,
    auth,
    managed,
    published,
    record_of,
    scope,
    times,
    token,
    wanted,
)

Tokens = dict[TokenScope, Token]

EU_AND_US = wanted(EU, US)
EU_ACCOUNTS = wanted(EU, EU_OTHER_ACCOUNT)
OWN = CONTROLLER.name
HELD = auth("held")
YOUNGER = token(issued=NOW + HOUR, password="younger")
EARLIER_EXPIRY = token(life=11 * HOUR)


def holding(*hosts: RegistryHost) -> dict[RegistryHost, Password]:
    return dict.fromkeys(hosts, HELD)


def entry_plan(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Tokens,
    *,
    complete: bool = True,
    excluded: frozenset[RegistryHost] = NO_HOSTS,
    revoked: frozenset[RegistryHost] = NO_HOSTS,
) -> EntryPlan:
    by_host = {
        host: tokens[own]
        for host, identity in desired.identities.items()
        if (own := TokenScope.of(host, identity)) in tokens
    }
    return plan_entries(desired, secret, by_host, complete=complete, excluded=excluded, revoked=revoked)


def written(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens: Tokens,
    auths: dict[RegistryHost, Password],
    *,
    complete: bool = True,
    excluded: frozenset[RegistryHost] = NO_HOSTS,
) -> PullSecret:
    """Build the content to write, which there must be."""
    content = build_secret(entry_plan(desired, secret, tokens, complete=complete, excluded=excluded), auths)
    assert content is not None
    return content


def test_one_token_serves_every_account_of_a_region() -> None:
    """A scope is an identity in a region, and ECR Public is one of its own."""
    desired = wanted(EU, EU_OTHER_ACCOUNT, US, PUBLIC)
    expected = {scope(EU): [EU, EU_OTHER_ACCOUNT], scope(PUBLIC): [PUBLIC], scope(US): [US]}
    assert list(hosts_by_scope(desired.identities).items()) == list(expected.items())
    turned = wanted(US, PUBLIC, EU_OTHER_ACCOUNT, EU)
    assert list(hosts_by_scope(turned.identities).items()) == list(expected.items())


def test_first_secret_holds_fresh_tokens() -> None:
    """Each host gets the token of its scope."""
    content = written(EU_ACCOUNTS, None, {scope(EU): YOUNGER}, {})
    assert content.auths == {EU: YOUNGER.auth, EU_OTHER_ACCOUNT: YOUNGER.auth}
    assert content.record.tokens == {"eu-west-1": YOUNGER.validity}


def test_registry_without_a_token_is_left_out_of_a_first_secret() -> None:
    """A token that cannot be obtained does not delay the other registries."""
    assert written(EU_AND_US, None, {scope(EU): YOUNGER}, {}, complete=False).record.registries == (EU,)


def test_younger_tokens_replace_every_entry_without_a_read() -> None:
    """The Secret's data is read only if an entry is kept."""
    found = entry_plan(EU_AND_US, managed(published(EU, US)), {scope(EU): YOUNGER, scope(US): YOUNGER})
    assert (found.fresh, found.kept) == ({EU: YOUNGER, US: YOUNGER}, {})


def test_token_that_expires_earlier_does_not_replace_an_entry() -> None:
    """The entry is kept while its neighbour is renewed."""
    found = entry_plan(EU_AND_US, managed(published(EU, US)), {scope(EU): EARLIER_EXPIRY, scope(US): YOUNGER})
    assert found.decisions == {EU: Kept(identity=OWN, validity=times(), shared=times()), US: YOUNGER}


@pytest.mark.parametrize(("intact", "revoked"), [(False, NO_HOSTS), (True, frozenset({EU}))], ids=["edited", "revoked"])
def test_worthless_entry_is_replaced_by_any_token(*, intact: bool, revoked: frozenset[RegistryHost]) -> None:
    """Somebody may have changed the entry, or its registry refuses it: an earlier expiry is still better."""
    secret = managed(published(EU, US), intact=intact)
    found = entry_plan(EU_AND_US, secret, {scope(EU): EARLIER_EXPIRY}, revoked=revoked)
    assert (found.fresh, set(found.kept)) == ({EU: EARLIER_EXPIRY}, {US})


@pytest.mark.parametrize(
    ("held", "new", "replaced"),
    [
        ("", "", False),
        ("", ROLE_B, False),
        (ROLE_A, "", False),
        (ROLE_A, ROLE_A, False),
        (ROLE_A, ROLE_B, True),
    ],
)
def test_only_a_principal_that_is_known_to_be_another_takes_the_place_of_a_later_expiry(
    held: str, new: str, *, replaced: bool
) -> None:
    """What is not known is no reason to make an entry worse."""
    secret, token_ = managed(published(EU, principal=held)), replace(EARLIER_EXPIRY, principal=new)
    assert (entry_plan(wanted(EU), secret, {scope(EU): token_}).fresh == {EU: token_}) is replaced


def test_token_of_another_principal_replaces_the_entry() -> None:
    """Whenever it expires: the old one may read what the new one may not."""
    new = replace(EARLIER_EXPIRY, principal=ROLE_B)
    content = written(EU_ACCOUNTS, managed(published(EU, EU_OTHER_ACCOUNT, principal=ROLE_A)), {scope(EU): new}, {})
    assert (content.record.principals, set(content.auths.values())) == ({OWN: ROLE_B}, {new.auth})


def test_entry_of_an_old_principal_stays_until_there_is_another_and_so_does_its_name() -> None:
    """The reachable region is served meanwhile, and the Secret stays due; then it names the new principal."""
    secret = managed(published(EU, US, principal=ROLE_A))
    new = replace(YOUNGER, principal=ROLE_B)
    half = written(EU_AND_US, secret, {scope(EU): new}, holding(EU, US), complete=False)
    assert (half.auths, half.record.principals) == ({EU: new.auth, US: HELD}, {OWN: ROLE_A})
    whole = written(EU_AND_US, managed(half.record), {scope(EU): new, scope(US): new}, {})
    assert (set(whole.auths.values()), whole.record.principals) == ({new.auth}, {OWN: ROLE_B})


def test_secret_names_the_principal_of_its_oldest_token() -> None:
    """Two tokens may be fetched just before and just after a change: then the Secret is due again."""
    old, new = token(principal=ROLE_A), replace(YOUNGER, principal=ROLE_B)
    assert written(EU_AND_US, None, {scope(EU): new, scope(US): old}, {}).record.principals == {OWN: ROLE_A}


def test_revoked_entry_leaves_its_neighbour_alone() -> None:
    """Only the registry that refuses its token gets one that expires earlier."""
    tokens = {scope(EU): EARLIER_EXPIRY, scope(US): EARLIER_EXPIRY}
    found = entry_plan(EU_AND_US, managed(published(EU, US)), tokens, revoked=frozenset({EU}))
    assert (found.fresh, set(found.kept)) == ({EU: EARLIER_EXPIRY}, {US})


def test_token_of_another_scope_is_not_used() -> None:
    """Only the scopes of the desired registries count."""
    found = entry_plan(wanted(EU), managed(published(EU, US)), {scope(PUBLIC): YOUNGER})
    assert (found.fresh, set(found.kept)) == ({}, {EU})


def test_kept_entry_keeps_its_validity() -> None:
    """Neither the entry nor its issue and expiry times change."""
    content = written(EU_AND_US, managed(published(EU, US)), {scope(US): YOUNGER}, holding(EU, US), complete=False)
    assert content.auths == {EU: HELD, US: YOUNGER.auth}
    assert content.record.tokens["eu-west-1"] == times()


def test_new_registry_takes_the_entry_of_its_scope() -> None:
    """One token is good for all accounts of its region, so no call to AWS is needed."""
    assert written(EU_ACCOUNTS, managed(published(EU)), {}, holding(EU)).auths == holding(EU, EU_OTHER_ACCOUNT)


def test_registry_that_is_no_longer_desired_is_removed() -> None:
    """No new token is needed for that."""
    content = written(wanted(EU), managed(published(EU, US)), {}, holding(EU, US))
    assert content.auths == holding(EU)
    assert set(content.record.tokens) == {"eu-west-1"}


def test_nothing_is_written_if_a_desired_registry_would_be_lost() -> None:
    """If a kept entry turns out to be unreadable, the Secret stays as it is."""
    assert build_secret(entry_plan(EU_AND_US, managed(published(EU, US)), {scope(US): YOUNGER}), holding(US)) is None


@pytest.mark.parametrize("secret", [None, managed(None, intact=False), managed(published(US))])
def test_nothing_is_written_without_any_entry(secret: ObservedSecret | None) -> None:
    """An empty pull Secret is never written."""
    assert build_secret(entry_plan(wanted(EU), secret, {}), {}) is None


def test_an_edited_secret_gets_the_very_tokens_that_it_held() -> None:
    """The record is as it was, the data may not be."""
    held = published(EU, US)
    found = entry_plan(EU_AND_US, managed(held, intact=False), {scope(EU): token(), scope(US): token()})
    assert found.needs_write
    assert build_secret(found, {}) == PullSecret(record=held, auths={EU: auth(), US: auth()})


@pytest.mark.parametrize(
    "change",
    [
        {"opted_in_by": OptIn.ANNOTATION},
        {"opted_in_by": None},
        {"installation_class": "canary"},
        {"refresh_requested_at": "1"},
    ],
)
def test_what_a_secret_says_beside_its_tokens_is_written_without_new_ones(change: dict[str, Any]) -> None:
    """Its entries stay as they are."""
    desired = replace(wanted(EU, refresh_requested_at="2", opted_in_by=OptIn.SETTINGS), installation_class="blue")
    before = replace(published(EU, refresh_requested_at="2"), opted_in_by=OptIn.SETTINGS, installation_class="blue")
    assert not entry_plan(desired, managed(before), {}).needs_write
    content = written(desired, managed(replace(before, **change)), {}, holding(EU))
    assert content == PullSecret(record=before, auths=holding(EU))


@pytest.mark.parametrize("intact", [True, False])
def test_nothing_is_written_without_a_change(*, intact: bool) -> None:
    """While no token can be obtained, a Secret stays as it is, edited or not."""
    found = entry_plan(EU_AND_US, managed(published(EU, US), intact=intact), {})
    assert not found.needs_write
    assert build_secret(found, holding(EU, US)) is None


@pytest.mark.parametrize(("complete", "answered"), [(True, "2"), (False, "1")])
def test_refresh_request_is_answered_once_every_token_was_obtained(answered: str, *, complete: bool) -> None:
    """If one failed, the request stays open and is tried again."""
    desired, secret = replace(EU_AND_US, refresh_requested_at="2"), managed(published(EU, US, refresh_requested_at="1"))
    content = written(desired, secret, {scope(EU): YOUNGER}, holding(EU, US), complete=complete)
    assert content.record.refresh_requested_at == answered


def test_incomplete_first_secret_leaves_the_refresh_request_open() -> None:
    """A first Secret without all of its tokens has answered nothing."""
    desired = replace(EU_AND_US, refresh_requested_at="1")
    assert written(desired, None, {scope(EU): YOUNGER}, {}, complete=False).record.refresh_requested_at is None


def test_foreign_secret_counts_as_empty() -> None:
    """Nothing is kept from a Secret that Pullkeeper does not manage."""
    assert entry_plan(EU_AND_US, FOREIGN, {scope(EU): YOUNGER}).kept == {}


def test_entries_of_an_unreadable_secret_are_kept_until_replaced() -> None:
    """They may be good although nobody knows their age; with an unknown age they are due at once."""
    content = written(EU_AND_US, managed(None, intact=False), {scope(US): YOUNGER}, holding(EU), complete=False)
    assert content.auths == {EU: HELD, US: YOUNGER.auth}
    assert content.record.tokens["us-west-2"] == YOUNGER.validity
    assert content.record.expires_at < NOW


def test_registry_takes_its_neighbours_entry_of_an_unreadable_secret() -> None:
    """A pull may work with it, and it is replaced as soon as there is a token."""
    desired = wanted(EU, EU_OTHER_ACCOUNT, US)
    content = written(desired, managed(None, intact=False), {scope(US): YOUNGER}, holding(EU), complete=False)
    held = {EU: UNKNOWN_VALIDITY, EU_OTHER_ACCOUNT: UNKNOWN_VALIDITY, US: YOUNGER.validity}
    assert content == PullSecret(record=record_of(held), auths={**holding(EU, EU_OTHER_ACCOUNT), US: YOUNGER.auth})


def test_unreadable_secret_is_replaced_by_fresh_tokens() -> None:
    """With a token for every registry, nothing of it is kept."""
    tokens = {scope(EU): YOUNGER, scope(US): YOUNGER}
    assert entry_plan(EU_AND_US, managed(None, intact=False), tokens).kept == {}


def test_excluded_registry_keeps_its_entry_while_its_neighbour_is_renewed() -> None:
    """Its older token is recorded per registry, and the Secret's expiry is that of the older one."""
    secret, auths = managed(published(EU, EU_OTHER_ACCOUNT)), holding(EU, EU_OTHER_ACCOUNT)
    content = written(EU_ACCOUNTS, secret, {scope(EU): YOUNGER}, auths, complete=False, excluded=frozenset({EU}))
    assert content.auths == {EU: HELD, EU_OTHER_ACCOUNT: YOUNGER.auth}
    assert content.record.tokens == {"eu-west-1": YOUNGER.validity}
    assert content.record.per_registry == {EU: times()}
    assert content.record.expires_at == times().expires_at


def test_excluded_registry_is_left_out_of_a_first_secret() -> None:
    """It does not take its neighbour's entry later either."""
    tokens, excluded = {scope(EU): YOUNGER}, frozenset({EU})
    content = written(EU_ACCOUNTS, None, tokens, {}, complete=False, excluded=excluded)
    assert content.record.registries == (EU_OTHER_ACCOUNT,)
    later = entry_plan(EU_ACCOUNTS, managed(content.record), tokens, complete=False, excluded=excluded)
    assert not later.needs_write


def test_excluded_registry_joins_its_neighbour_once_it_accepts() -> None:
    """As soon as all hold the same token again, none is recorded per registry."""
    record = record_of({EU: times(), EU_OTHER_ACCOUNT: YOUNGER.validity})
    content = written(EU_ACCOUNTS, managed(record), {scope(EU): YOUNGER}, {})
    assert content.record == record_of({EU: YOUNGER.validity, EU_OTHER_ACCOUNT: YOUNGER.validity}, CONTROLLER.name)
    assert content.record.per_registry == {}


@pytest.mark.parametrize(("older", "younger"), [(EU, EU_OTHER_ACCOUNT), (EU_OTHER_ACCOUNT, EU)])
def test_new_registry_never_takes_a_token_recorded_per_registry(older: RegistryHost, younger: RegistryHost) -> None:
    """It takes the younger token, which is its scope's; the older one stays with the registry that keeps it."""
    third = parse("333333333333.dkr.ecr.eu-west-1.amazonaws.com")
    validities, passwords = {older: times(), younger: YOUNGER.validity}, {older: HELD, younger: auth("younger")}
    secret = managed(record_of({host: validities[host] for host in (EU, EU_OTHER_ACCOUNT)}))
    auths = {host: passwords[host] for host in (EU, EU_OTHER_ACCOUNT)}
    content = written(wanted(EU, EU_OTHER_ACCOUNT, third), secret, {}, auths)
    assert content.auths == {**auths, third: auth("younger")}
    assert content.record.held[third] == YOUNGER.validity


def test_excluded_registry_takes_no_entry_of_an_unreadable_secret() -> None:
    """Its neighbour's entry may be the very token that was refused."""
    desired = wanted(EU, EU_OTHER_ACCOUNT, US)
    secret, tokens = managed(None, intact=False), {scope(EU): YOUNGER, scope(US): YOUNGER}
    auths, excluded = {EU_OTHER_ACCOUNT: HELD}, frozenset({EU, EU_OTHER_ACCOUNT})
    content = written(desired, secret, tokens, auths, complete=False, excluded=excluded)
    assert content.auths == {EU_OTHER_ACCOUNT: HELD, US: YOUNGER.auth}


def test_removed_entry_comes_back_with_the_validity_of_the_shared_one() -> None:
    """Somebody removed the entry recorded per registry: its scope's entry and validity take its place."""
    secret = managed(record_of({EU: times(), EU_OTHER_ACCOUNT: YOUNGER.validity}), intact=False)
    desired = wanted(EU, EU_OTHER_ACCOUNT, US)
    content = written(desired, secret, {scope(US): YOUNGER}, {EU_OTHER_ACCOUNT: HELD})
    assert content.auths == {EU: HELD, EU_OTHER_ACCOUNT: HELD, US: YOUNGER.auth}
    assert content.record.held[EU] == YOUNGER.validity
