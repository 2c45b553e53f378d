"""What is chosen for each registry by itself: where one refuses a token, and where a token has died."""

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import NO_HOSTS, EntryPlan, build_secret, needs_write, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, US, auth, managed, published, scope, times, token

IRISH = DesiredState(registries=(EU, EU_OTHER_ACCOUNT))
BOTH = DesiredState(registries=(EU, US))
HELD = auth("held")
YOUNG = token(issued=NOW + HOUR, password="young")


def holding(*hosts: RegistryHost) -> dict[RegistryHost, Password]:
    return dict.fromkeys(hosts, HELD)


def written(
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    auths: dict[RegistryHost, Password],
    desired: DesiredState = IRISH,
    *,
    withheld: frozenset[RegistryHost] = NO_HOSTS,
) -> PullSecret | None:
    choice = plan_entries(desired, secret, tokens_, complete=not withheld, withheld=withheld)
    return build_secret(desired, secret, choice, auths)


def test_a_registry_that_refuses_holds_back_neither_its_neighbour_nor_itself() -> None:
    """It keeps the entry that it has, said apart, and its neighbour gets the young token; the older is the headline."""
    secret = managed(published(EU, EU_OTHER_ACCOUNT))
    content = written(secret, {scope(EU): YOUNG}, holding(EU, EU_OTHER_ACCOUNT), IRISH, withheld=frozenset({EU}))
    assert content is not None
    assert content.auths == {EU: HELD, EU_OTHER_ACCOUNT: YOUNG.auth}
    assert content.record.tokens == {scope(EU): YOUNG.validity}
    assert content.record.per_registry == {EU: token().validity}
    assert content.record.expires_at == token().expires_at


def test_a_first_secret_is_written_with_those_that_accept() -> None:
    """A registry that refuses is absent until it accepts, and does not take the token from its neighbour either."""
    content = written(None, {scope(EU): YOUNG}, {}, IRISH, withheld=frozenset({EU}))
    assert content is not None
    assert content.record.registries == (EU_OTHER_ACCOUNT,)
    later = plan_entries(IRISH, managed(content.record), {scope(EU): YOUNG}, complete=False, withheld=frozenset({EU}))
    assert not needs_write(IRISH, managed(content.record), later)


def test_a_registry_that_accepts_at_last_joins_its_neighbour() -> None:
    """Once all hold the same token again, nothing is said apart."""
    apart = SecretRecord.of({EU: times(), EU_OTHER_ACCOUNT: YOUNG.validity}, CONTROLLER)
    content = written(managed(apart), {scope(EU): YOUNG}, {}, IRISH)
    assert content is not None
    assert content.record == SecretRecord.of({EU: YOUNG.validity, EU_OTHER_ACCOUNT: YOUNG.validity}, CONTROLLER)
    assert content.record.per_registry == {}


def test_a_new_registry_never_takes_what_is_held_apart() -> None:
    """The token of the scope is its neighbours' younger one; that one of them keeps an older is that one's affair."""
    third = parse("333333333333.dkr.ecr.eu-west-1.amazonaws.com")
    secret = managed(SecretRecord.of({EU: times(), EU_OTHER_ACCOUNT: YOUNG.validity}, CONTROLLER))
    held = {EU: HELD, EU_OTHER_ACCOUNT: auth("younger")}
    content = written(secret, {}, held, DesiredState(registries=(EU, EU_OTHER_ACCOUNT, third)))
    assert content is not None
    assert content.auths == {**held, third: auth("younger")}
    assert content.record.validity_of(third) == YOUNG.validity


def test_a_token_that_died_gives_way_to_one_that_expires_earlier() -> None:
    """What its registry refuses is worth nothing, whatever it says of itself; the others keep what is better."""
    worse = token(life=11 * HOUR)
    secret = managed(published(EU, US))
    found = plan_entries(BOTH, secret, {scope(EU): worse, scope(US): worse}, complete=True, died=frozenset({EU}))
    assert found == EntryPlan(fresh={EU: worse}, kept=frozenset({US}), complete=True)


def test_a_registry_that_refuses_takes_nothing_from_a_neighbour_in_an_unreadable_secret() -> None:
    """There nobody knows what the neighbour's entry is, and it may be the very token that was refused."""
    held = {EU_OTHER_ACCOUNT: HELD}
    desired = DesiredState(registries=(EU, EU_OTHER_ACCOUNT, US))
    refused = frozenset({EU, EU_OTHER_ACCOUNT})
    tokens_ = {scope(EU): YOUNG, scope(US): YOUNG}
    content = written(managed(None, intact=False), tokens_, held, desired, withheld=refused)
    assert content is not None
    assert content.auths == {EU_OTHER_ACCOUNT: HELD, US: YOUNG.auth}


def test_an_entry_that_was_taken_out_comes_back_with_the_times_of_the_one_that_it_is_taken_from() -> None:
    """Somebody removed the entry that was held apart: its neighbour's is put in its place, as old as that is."""
    secret = managed(SecretRecord.of({EU: times(), EU_OTHER_ACCOUNT: YOUNG.validity}, CONTROLLER), intact=False)
    desired = DesiredState(registries=(EU, EU_OTHER_ACCOUNT, US))
    content = written(secret, {scope(US): YOUNG}, {EU_OTHER_ACCOUNT: HELD}, desired)
    assert content is not None
    assert content.auths == {EU: HELD, EU_OTHER_ACCOUNT: HELD, US: YOUNG.auth}
    assert content.record.validity_of(EU) == YOUNG.validity
