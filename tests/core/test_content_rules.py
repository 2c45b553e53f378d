"""Never worse, whatever is held, wanted and had: the rules of a pull Secret's content by property."""

from hypothesis import given
from hypothesis import strategies as st

from controller.core.annotations import DesiredState
from controller.core.content import choose, compose, differs, scopes
from controller.core.credential import Password, Token
from controller.core.identity import TokenScope
from controller.core.observed_secret import ObservedSecret
from controller.core.registry_host import RegistryHost
from tests.core.examples import HOSTS, auth, managed, publications, refreshes, scope, some_hosts, tokens

HELD = auth("held")


def holding(hosts: set[RegistryHost]) -> dict[RegistryHost, Password]:
    return dict.fromkeys(hosts, HELD)


wishes = st.builds(lambda hosts, refresh: DesiredState(registries=hosts, refresh=refresh), some_hosts, refreshes)
observed = st.none() | st.builds(
    lambda held, intact: managed(held, intact=intact and held is not None), st.none() | publications(), st.booleans()
)
had = st.dictionaries(st.sampled_from(HOSTS).map(scope), tokens)
found = st.sets(st.sampled_from(HOSTS)).map(holding)


@given(wishes, observed, had, st.booleans())
def test_a_choice_is_never_worse(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    complete: bool,  # noqa: FBT001 -- hypothesis gives it by place
) -> None:
    """No scope of an intact Secret goes to an earlier expiry; what is had or held is used; nothing is both."""
    choice = choose(desired, secret, tokens_, complete=complete)
    held = secret.published.tokens if secret and secret.published else {}
    assert not choice.fresh.keys() & choice.kept
    unreadable = secret is not None and secret.published is None
    assert choice.fresh.keys() | choice.kept == (
        scopes(desired) if unreadable else scopes(desired) & (tokens_.keys() | held.keys())
    )
    for each, fresh in choice.fresh.items():
        assert fresh is tokens_[each]
        assert each not in held or not (secret and secret.intact) or fresh.expires_at >= held[each].expires_at


@given(wishes, observed, had, found, st.booleans())
def test_a_write_is_never_worse(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    auths: dict[RegistryHost, Password],
    complete: bool,  # noqa: FBT001 -- hypothesis gives it by place
) -> None:
    """A wanted registry that an intact Secret holds stays, each host has its own scope's entry, the data is sound."""
    choice = choose(desired, secret, tokens_, complete=complete)
    content = compose(desired, secret, choice, auths)
    if content is None:
        return
    assert set(content.auths) == set(content.published.registries) <= set(desired.registries)
    assert set(content.published.tokens) == {scope(host) for host in content.auths}
    if secret and secret.intact and secret.published:
        assert set(secret.published.registries) & set(desired.registries) <= set(content.auths)
    for host, entry in content.auths.items():
        kept = scope(host) in choice.kept
        assert entry == (HELD if kept else choice.fresh[scope(host)].auth)
    assert content.data()


@given(wishes, observed, had, found, st.booleans())
def test_what_does_not_differ_is_not_written(
    desired: DesiredState,
    secret: ObservedSecret | None,
    tokens_: dict[TokenScope, Token],
    auths: dict[RegistryHost, Password],
    complete: bool,  # noqa: FBT001 -- hypothesis gives it by place
) -> None:
    """What is told before the Secret is read holds afterwards; and what is written differs from what was there."""
    choice = choose(desired, secret, tokens_, complete=complete)
    content = compose(desired, secret, choice, auths)
    if not differs(desired, secret, choice):
        assert content is None
    elif content is not None and secret and secret.intact:
        assert content.published != secret.published


@given(wishes, had, st.booleans())
def test_writing_the_same_again_changes_nothing(
    desired: DesiredState,
    tokens_: dict[TokenScope, Token],
    complete: bool,  # noqa: FBT001 -- hypothesis gives it by place
) -> None:
    """Once written, the same tokens give no second write: it comes to rest."""
    content = compose(desired, None, choose(desired, None, tokens_, complete=complete), {})
    if content is not None:
        secret = managed(content.published)
        assert not differs(desired, secret, choose(desired, secret, tokens_, complete=complete))
