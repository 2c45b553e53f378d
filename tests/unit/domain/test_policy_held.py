"""What a pull Secret was written by goes on only while the policy allows it."""

import pytest

from pullkeeper.domain.config.policy import ANYBODY, NOBODY, Policy, RoleGrant
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, parse, service_account
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from testsupport.examples import EU

ROLE = "arn:aws:iam::123456789012:role/blue"
VIEW = ObservedNamespace(name="team-a", resource_version=1)
PLAIN = Policy(roles=(RoleGrant(role=ROLE),))
TAGGED = Policy(roles=(RoleGrant(role=ROLE, session_tags=True),))
HELD = [
    (CONTROLLER, Policy()),
    (parse(ROLE), PLAIN),
    (parse(f"{ROLE} for team-a"), TAGGED),
    (service_account("team-a", "puller"), Policy(service_accounts=ANYBODY)),
]


@pytest.mark.parametrize(("held", "policy"), HELD)
def test_a_held_identity_goes_on_while_it_is_allowed(held: Identity, policy: Policy) -> None:
    """What a Secret was written by serves on, with all that the policy says of its session."""
    found = policy.reauthorize(VIEW, held, (EU,))
    assert found == held
    assert found is not None
    assert (found.session is not None) is (held.kind is Kind.ROLE)


@pytest.mark.parametrize("held", [held for held, _ in HELD])
def test_a_held_identity_that_is_no_longer_allowed_ends(held: Identity) -> None:
    """What a namespace may not use any more is not gone on with."""
    assert Policy(controller_identity=NOBODY).reauthorize(VIEW, held, (EU,)) is None


@pytest.mark.parametrize(
    "name",
    [
        "system:serviceaccount:team-a:../../victim/serviceaccounts/puller",
        "system:serviceaccount:team-a:puller/../x",
        "system:serviceaccount:team-a:a?b",
        "system:serviceaccount:team-a:",
        "system:serviceaccount:team-a",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/x\ny",
    ],
)
def test_held_identity_that_is_none_is_not_gone_on_with(name: str) -> None:
    """A Secret's annotation is anybody's text: what is no name of an identity is never asked for."""
    policy = Policy(service_accounts=ANYBODY, roles=(RoleGrant(role="*"),))
    assert policy.reauthorize(VIEW, Identity(name=name), (EU,)) is None


def test_role_with_any_character_in_its_path_goes_on_as_itself() -> None:
    """IAM allows nearly every character in a path, and none of them makes another role of it."""
    role = "arn:aws:iam::123456789012:role/a#b/name"
    policy = Policy(roles=(RoleGrant(role="arn:aws:iam::123456789012:role/*"),))
    assert policy.reauthorize(VIEW, parse(role), (EU,)) == policy.identity(VIEW, (EU,), role=role) == parse(role)


def test_a_held_role_goes_on_when_only_its_session_changes() -> None:
    """Whether a grant sends session tags is no reason to stop: the role is allowed as before."""
    for held, policy in ((parse(ROLE), TAGGED), (parse(f"{ROLE} for team-a"), PLAIN)):
        found = policy.reauthorize(VIEW, held, (EU,))
        assert found is not None
        assert found.role_arn == ROLE


def test_an_account_of_another_namespace_is_not_gone_on_with() -> None:
    """What a Secret's annotation says of another namespace's account gives nobody that account."""
    found = Policy(service_accounts=ANYBODY).reauthorize(VIEW, service_account("victim", "puller"), (EU,))
    assert found is None or found == service_account("team-a", "puller")
