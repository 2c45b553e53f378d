"""An existing pull Secret's identity is used only while the policy allows it."""

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
def test_the_identity_of_a_secret_is_reauthorized_while_allowed(held: Identity, policy: Policy) -> None:
    """With the session that the policy defines."""
    found = policy.reauthorize(VIEW, held, (EU,))
    assert found == held
    assert found is not None
    assert (found.session is not None) is (held.kind is Kind.ROLE)


@pytest.mark.parametrize("held", [held for held, _ in HELD])
def test_an_identity_that_is_no_longer_allowed_is_not_reauthorized(held: Identity) -> None:
    """Not even for an existing Secret."""
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
def test_an_invalid_identity_is_not_reauthorized(name: str) -> None:
    """Anybody may write the annotation that it comes from."""
    policy = Policy(service_accounts=ANYBODY, roles=(RoleGrant(role="*"),))
    assert policy.reauthorize(VIEW, Identity(name=name), (EU,)) is None


def test_a_role_with_an_unusual_path_is_reauthorized_as_itself() -> None:
    """IAM allows nearly every character in a path."""
    role = "arn:aws:iam::123456789012:role/a#b/name"
    policy = Policy(roles=(RoleGrant(role="arn:aws:iam::123456789012:role/*"),))
    assert policy.reauthorize(VIEW, parse(role), (EU,)) == policy.identity(VIEW, (EU,), role=role) == parse(role)


def test_a_role_is_reauthorized_when_only_its_session_changes() -> None:
    """Session tags do not change whether the role is allowed."""
    for held, policy in ((parse(ROLE), TAGGED), (parse(f"{ROLE} for team-a"), PLAIN)):
        found = policy.reauthorize(VIEW, held, (EU,))
        assert found is not None
        assert found.role_arn == ROLE


def test_a_service_account_of_another_namespace_is_not_reauthorized() -> None:
    """Whatever the Secret's annotation says."""
    found = Policy(service_accounts=ANYBODY).reauthorize(VIEW, service_account("victim", "puller"), (EU,))
    assert found is None or found == service_account("team-a", "puller")
