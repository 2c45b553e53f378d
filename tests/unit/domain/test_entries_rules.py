"""Never worse, whatever is held, wanted and had: the rules of a pull Secret's content by property."""

from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import EntryPlan, build_secret, needs_write, plan_entries
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from testsupport.examples import HOSTS, auth, managed, publications, refreshes, scope, some_hosts, tokens

Hosts = frozenset[RegistryHost]
Content = tuple[ObservedSecret | None, dict[TokenScope, Token], Hosts, Hosts, bool]


def entry(host: RegistryHost) -> Password:
    """Give each registry an entry that can be told from those of others."""
    return auth(f"held-{HOSTS.index(host)}")


def holding(hosts: set[RegistryHost]) -> dict[RegistryHost, Password]:
    return {host: entry(host) for host in hosts}


wishes = st.builds(
    lambda hosts, refresh: DesiredState(registries=hosts, refresh_requested_at=refresh), some_hosts, refreshes
)
observed = st.none() | st.builds(
    lambda held, intact: managed(held, intact=intact and held is not None), st.none() | publications(), st.booleans()
)
had = st.dictionaries(st.sampled_from(HOSTS).map(scope), tokens)
some = st.frozensets(st.sampled_from(HOSTS))
found = st.sets(st.sampled_from(HOSTS)).map(holding)
circumstances = st.tuples(observed, had, some, some, st.booleans())


def chosen(desired: DesiredState, content: Content) -> EntryPlan:
    secret, tokens_, withheld, died, complete = content
    return plan_entries(desired, secret, tokens_, complete=complete, withheld=withheld, died=died)


@given(wishes, circumstances)
def test_a_choice_is_never_worse(desired: DesiredState, content: Content) -> None:
    """No registry goes from a living token to an earlier expiry, none takes what is withheld, nothing is both."""
    secret, tokens_, withheld, died, _ = content
    choice = chosen(desired, content)
    held = {use.host: use.validity for use in secret.record.credentials} if secret and secret.record else {}
    assert not choice.fresh.keys() & choice.kept
    assert not choice.fresh.keys() & withheld
    for each, fresh in choice.fresh.items():
        assert fresh is tokens_[scope(each)]
        worthless = each not in held or each in died or not (secret and secret.intact)
        assert worthless or fresh.expires_at >= held[each].expires_at


@given(wishes, circumstances)
def test_what_is_had_or_held_is_used(desired: DesiredState, content: Content) -> None:
    """Each registry has an entry if there is any for it: its own, a token that it may have, or a neighbour's."""
    secret, tokens_, withheld, _, _ = content
    choice = chosen(desired, content)
    published = secret.record if secret else None
    for host in desired.registries:
        own = published is not None and host in published.registries
        given_ = host not in withheld and (scope(host) in tokens_ or (published and scope(host) in published.tokens))
        unreadable = secret is not None and published is None
        assert (host in choice.fresh or host in choice.kept) is bool(own or given_ or unreadable)


@given(wishes, circumstances, found)
def test_a_write_is_never_worse(desired: DesiredState, content: Content, auths: dict[RegistryHost, Password]) -> None:
    """A wanted registry that an intact Secret holds stays, each has an entry of its own scope, the data is sound."""
    secret, _, withheld, _, _ = content
    choice = chosen(desired, content)
    composed = build_secret(desired, secret, choice, auths)
    if composed is None:
        return
    assert set(composed.auths) == set(composed.record.registries) <= set(desired.registries)
    assert set(composed.record.tokens) == {scope(host) for host in composed.auths}
    if secret and secret.intact and secret.record:
        assert set(secret.record.registries) & set(desired.registries) <= set(composed.auths)
    for host, password in composed.auths.items():
        neighbours = [entry(each) for each in auths if scope(each) == scope(host)]
        kept = [entry(host)] if host in withheld or host in auths else neighbours
        assert password in (kept if host in choice.kept else [choice.fresh[host].auth])
    assert composed.data()


@given(wishes, circumstances)
def test_the_secret_says_the_truth_of_each_registry(desired: DesiredState, content: Content) -> None:
    """The times that stand there for a registry are those of its entry, and the headline is the earliest."""
    secret, *_ = content
    if secret is None or secret.record is None:
        return
    before = {use.host: use.validity for use in secret.record.credentials}
    choice = chosen(desired, content)
    composed = build_secret(desired, secret, choice, holding(set(before)))
    if composed is None:
        return
    ages = {entry(host): times for host, times in before.items()}
    ages |= {token.auth: token.validity for token in choice.fresh.values()}
    for use in composed.record.credentials:
        assert use.host not in choice.fresh or use.validity == choice.fresh[use.host].validity
        assert use.host in choice.fresh or use.validity == ages[composed.auths[use.host]]
    assert composed.record.expires_at == min(use.validity.expires_at for use in composed.record.credentials)


@given(wishes, circumstances, found)
def test_what_does_not_differ_is_not_written(
    desired: DesiredState, content: Content, auths: dict[RegistryHost, Password]
) -> None:
    """What is told before the Secret is read holds afterwards; and what is written differs from what was there."""
    secret, *_ = content
    choice = chosen(desired, content)
    composed = build_secret(desired, secret, choice, auths)
    if not needs_write(desired, secret, choice):
        assert composed is None
    elif composed is not None and secret and secret.intact:
        assert composed.record != secret.record


@given(wishes, had, some, st.booleans())
def test_writing_the_same_again_changes_nothing(
    desired: DesiredState,
    tokens_: dict[TokenScope, Token],
    withheld: Hosts,
    complete: bool,  # noqa: FBT001 -- hypothesis gives it by place
) -> None:
    """Once written, the same tokens give no second write: it comes to rest."""
    composed = build_secret(
        desired, None, plan_entries(desired, None, tokens_, complete=complete, withheld=withheld), {}
    )
    if composed is not None:
        secret = managed(composed.record)
        again = plan_entries(desired, secret, tokens_, complete=complete, withheld=withheld)
        assert not needs_write(desired, secret, again)
