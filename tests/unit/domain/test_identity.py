"""Identities and their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Kind, Session, parse, role, service_account, shortened
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOSTS, PUBLIC, US

ROLE = "arn:aws:iam::123456789012:role/puller"
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (CONTROLLER.name, Kind.CONTROLLER),
        (ROLE, Kind.ROLE),
        (f"{ROLE} for team-a", Kind.ROLE),
        ("system:serviceaccount:team-a:puller", Kind.SERVICE_ACCOUNT),
    ],
)
def test_the_name_tells_the_kind(name: str, kind: Kind) -> None:
    """The annotation of a Secret suffices to know how credentials are obtained."""
    assert Identity(name=name).kind is kind


@given(names, names)
def test_a_service_account_is_named_like_its_iam_subject(namespace: str, name: str) -> None:
    """The name contains namespace and ServiceAccount."""
    identity = service_account(namespace, name)
    assert str(identity) == f"system:serviceaccount:{namespace}:{name}"
    assert identity.service_account == (namespace, name)
    assert identity.kind is Kind.SERVICE_ACCOUNT


def test_identities_are_compared_by_name() -> None:
    """Session parameters do not distinguish identities, so a restart recognizes them by name."""
    one = role(ROLE, Session(name="pullkeeper-a"))
    assert one == Identity(name=ROLE)
    assert hash(one) == hash(Identity(name=ROLE))
    assert one != role(ROLE, Session(name="pullkeeper-a"), only_for="team-a")


def test_hosts_of_a_region_share_a_scope() -> None:
    """One token serves the registries of all accounts in a region; another region or ECR Public needs its own."""
    scopes = {host: TokenScope.of(host, CONTROLLER) for host in HOSTS}
    assert scopes[EU] == scopes[EU_OTHER_ACCOUNT]
    assert len(set(scopes.values())) == 3
    assert {host: scope.label for host, scope in scopes.items() if host is not EU_OTHER_ACCOUNT} == {
        EU: "eu-west-1",
        US: "us-west-2",
        PUBLIC: "us-east-1/public",
    }


def test_scopes_are_compared_without_the_endpoint() -> None:
    """A token from the FIPS or dual-stack endpoint is valid at every registry of the region."""
    plain = TokenScope(identity=CONTROLLER, region="us-east-1")
    assert TokenScope(identity=CONTROLLER, region="us-east-1", fips=True, dual_stack=True) == plain
    assert TokenScope(identity=CONTROLLER, region="us-east-1", public=True) != plain
    assert TokenScope(identity=Identity(name=ROLE), region="us-east-1") != plain


@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}", fullmatch=True), st.booleans())
def test_a_scope_round_trips_through_its_label(region: str, public: bool) -> None:  # noqa: FBT001 -- hypothesis gives it
    """The annotation of a Secret identifies the scope."""
    scope = TokenScope(identity=Identity(name=ROLE), region=region, public=public)
    assert TokenScope.from_label(scope.label, Identity(name=ROLE)) == scope


@pytest.mark.parametrize(
    ("name", "role_arn"),
    [
        (CONTROLLER.name, ""),
        (ROLE, ROLE),
        (f"{ROLE} for team-a", ROLE),
        ("arn:aws:iam::123456789012:role/a#b/name", "arn:aws:iam::123456789012:role/a#b/name"),
        ("system:serviceaccount:team-a:my.puller", ""),
    ],
)
def test_an_identity_round_trips_through_its_name(name: str, role_arn: str) -> None:
    """A restart restores it from the Secret's annotation, including the role."""
    assert parse(name) == Identity(name=name)
    assert parse(name).role_arn == role_arn


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Controller",
        "somebody",
        "controller\n",
        "arn:aws:iam::123456789012:user/x",
        f"{ROLE}\n",
        f"{ROLE} for ../x",
        f"{ROLE} for team-a for team-b",
        f"{ROLE} x",
        "system:serviceaccount:",
        "system:serviceaccount:team-a",
        "system:serviceaccount:team-a:",
        "system:serviceaccount::puller",
        "system:serviceaccount:team-a:../../victim/serviceaccounts/puller",
        "system:serviceaccount:team-a:puller/token",
        "system:serviceaccount:team-a:a:b",
        "system:serviceaccount:team-a:puller\n",
        "system:serviceaccount:..:puller",
    ],
)
def test_an_invalid_name_is_rejected(name: str) -> None:
    """Anybody may write the annotation: it must never lead to somebody else's ServiceAccount."""
    with pytest.raises(ValueError):  # noqa: PT011 -- any will do: whoever reads a Secret catches them all
        parse(name)


@given(st.text("ab-", max_size=70), st.text("ab-", max_size=70))
def test_shortened_names_are_short_and_differ(one: str, two: str) -> None:
    """Short names are unchanged; different long names stay different."""
    assert len(shortened(one)) <= 64
    assert (shortened(one) == one) is (len(one) <= 64)
    assert (shortened(one) == shortened(two)) is (one == two)
