"""Never worse: what is chosen and put together for a pull Secret."""

from dataclasses import replace

import pytest

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan, build_secret, needs_write, plan_entries, token_scopes
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    PUBLIC,
    US,
    auth,
    managed,
    published,
    scope,
    token,
)

BOTH = DesiredState(registries=(EU, US))
HELD = auth("held")
YOUNG = token(issued=NOW + HOUR, password="young")


def holding(*hosts: RegistryHost) -> dict[RegistryHost, Password]:
    return dict.fromkeys(hosts, HELD)


def chosen(
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    desired: DesiredState = BOTH,
    *,
    complete: bool = True,
) -> EntryPlan:
    return plan_entries(desired, secret, tokens_, complete=complete)


def written(
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    auths: dict[RegistryHost, Password],
    desired: DesiredState = BOTH,
    *,
    complete: bool = True,
) -> PullSecret | None:
    return build_secret(desired, secret, chosen(secret, tokens_, desired, complete=complete), auths)


def test_one_token_serves_every_account_of_a_region() -> None:
    """A scope is an identity in a region, and ECR Public is one of its own."""
    desired = DesiredState(registries=(EU, EU_OTHER_ACCOUNT, US, PUBLIC))
    assert token_scopes(desired) == {scope(EU), scope(US), scope(PUBLIC)}


def test_a_first_secret_holds_the_tokens_that_were_had() -> None:
    """Each host gets the token of its scope; all are fresh."""
    desired = DesiredState(registries=(EU, EU_OTHER_ACCOUNT))
    content = written(None, {scope(EU): YOUNG}, {}, desired)
    assert content is not None
    assert content.auths == {EU: YOUNG.auth, EU_OTHER_ACCOUNT: YOUNG.auth}
    assert content.record.tokens == {scope(EU): YOUNG.validity}


def test_a_registry_without_a_token_is_absent_until_there_is_one() -> None:
    """One that cannot be had holds nothing else back."""
    content = written(None, {scope(EU): YOUNG}, {}, complete=False)
    assert content is not None
    assert content.record.registries == (EU,)


def test_a_younger_token_replaces_the_held_one() -> None:
    """Where every token is fresh, nothing needs to be read."""
    choice = chosen(managed(published(EU, US)), {scope(EU): YOUNG, scope(US): YOUNG})
    assert choice == EntryPlan(fresh={EU: YOUNG, US: YOUNG}, kept=frozenset(), complete=True)


def test_a_token_that_dies_earlier_never_replaces_the_held_one() -> None:
    """The held entry is kept, and its neighbour is renewed."""
    worse = token(life=11 * HOUR)
    choice = chosen(managed(published(EU, US)), {scope(EU): worse, scope(US): YOUNG})
    assert choice == EntryPlan(fresh={US: YOUNG}, kept=frozenset({EU}), complete=True)


def test_an_edited_secret_is_not_trusted_to_hold_what_it_says() -> None:
    """There any token that was had is better than an entry that somebody may have changed."""
    worse = token(life=11 * HOUR)
    assert chosen(managed(published(EU, US), intact=False), {scope(EU): worse}).fresh == {EU: worse}


def test_tokens_that_nobody_asked_for_are_not_taken() -> None:
    """Only the scopes of the desired registries count, held or fetched."""
    choice = chosen(managed(published(EU, US)), {scope(PUBLIC): YOUNG}, DesiredState(registries=(EU,)))
    assert choice == EntryPlan(fresh={}, kept=frozenset({EU}), complete=True)


def test_what_is_kept_stays_as_it_is() -> None:
    """The entry and the times of a token that was not replaced are those that are there."""
    secret = managed(published(EU, US))
    content = written(secret, {scope(US): YOUNG}, holding(EU, US), complete=False)
    assert content is not None
    assert content.auths == {EU: HELD, US: YOUNG.auth}
    assert content.record.tokens[scope(EU)] == token().validity


def test_a_new_registry_of_a_held_region_takes_the_held_token() -> None:
    """One token is good for all accounts of its region, so no call is needed."""
    desired = DesiredState(registries=(EU, EU_OTHER_ACCOUNT))
    content = written(managed(published(EU)), {}, holding(EU), desired)
    assert content is not None
    assert content.auths == holding(EU, EU_OTHER_ACCOUNT)


def test_a_registry_that_is_no_longer_wanted_goes() -> None:
    """Taking one out of the annotation takes its entry out, without a new token."""
    content = written(managed(published(EU, US)), {}, holding(EU, US), DesiredState(registries=(EU,)))
    assert content is not None
    assert content.auths == holding(EU)
    assert set(content.record.tokens) == {scope(EU)}


def test_nothing_is_written_where_a_wanted_registry_would_be_lost() -> None:
    """If the held entry cannot be read after all, the Secret stays as it is."""
    secret = managed(published(EU, US))
    assert written(secret, {scope(US): YOUNG}, holding(US)) is None


def test_without_any_entry_nothing_is_written() -> None:
    """An empty pull Secret helps nobody."""
    assert written(None, {}, {}) is None
    assert written(managed(None, intact=False), {}, {}) is None
    assert written(managed(published(US)), {}, {}, DesiredState(registries=(EU,))) is None


@pytest.mark.parametrize("intact", [True, False])
def test_where_nothing_is_new_nothing_is_written(*, intact: bool) -> None:
    """Failing tokens leave a Secret as it is, edited or not."""
    secret = managed(published(EU, US), intact=intact)
    assert not needs_write(BOTH, secret, chosen(secret, {}))
    assert written(secret, {}, holding(EU, US)) is None


@pytest.mark.parametrize(("complete", "answered"), [(True, "2"), (False, "1")])
def test_a_refresh_request_is_answered_when_every_token_was_had(answered: str, *, complete: bool) -> None:
    """One that failed leaves the request open, so that it is tried again."""
    desired, secret = replace(BOTH, refresh_requested_at="2"), managed(published(EU, US, refresh_requested_at="1"))
    content = written(secret, {scope(EU): YOUNG}, holding(EU, US), desired, complete=complete)
    assert content is not None
    assert content.record.refresh_requested_at == answered


def test_an_open_request_on_a_first_secret_stays_open() -> None:
    """A first Secret without all of its tokens has answered nothing."""
    content = written(None, {scope(EU): YOUNG}, {}, replace(BOTH, refresh_requested_at="1"), complete=False)
    assert content is not None
    assert content.record.refresh_requested_at is None


def test_a_strangers_secret_counts_as_holding_nothing() -> None:
    """What is not ours is not read as ours, even if it came that far."""
    assert chosen(FOREIGN, {scope(EU): YOUNG}).kept == frozenset()


def test_what_an_unreadable_secret_holds_is_kept_where_nothing_better_is_had() -> None:
    """Its entries may be good though nobody can read their age any more; of no known age, they are due at once."""
    secret = managed(None, intact=False)
    content = written(secret, {scope(US): YOUNG}, holding(EU), complete=False)
    assert content is not None
    assert content.auths == {EU: HELD, US: YOUNG.auth}
    assert content.record.tokens[scope(US)] == YOUNG.validity
    assert content.record.expires_at < NOW


def test_an_unreadable_secret_gives_way_to_any_token() -> None:
    """Where every token was had, nothing of it is kept."""
    assert not chosen(managed(None, intact=False), {scope(EU): YOUNG, scope(US): YOUNG}).kept
