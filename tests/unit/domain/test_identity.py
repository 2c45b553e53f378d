"""Identities and their names."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.ecr.token_scope import TokenScope, scope_label
from pullkeeper.domain.iam.identity import (
    CONTROLLER,
    Identity,
    Kind,
    Session,
    check_name,
    role,
    service_account,
    shortened,
)
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


@pytest.mark.parametrize(
    "other",
    [
        role(ROLE, Session(name="pullkeeper-a", external_id="x")),
        role(ROLE, Session(name="pullkeeper-a", tags=(("a", "b"),))),
        role(ROLE, Session(name="pullkeeper-a", source_identity="x")),
        role(ROLE, Session(name="pullkeeper-a"), only_for="team-a"),
        replace(role(ROLE, Session(name="pullkeeper-a")), role_arn=f"{ROLE}2"),
        replace(role(ROLE, Session(name="pullkeeper-a")), uid="1"),
        replace(role(ROLE, Session(name="pullkeeper-a")), audience="x"),
    ],
)
def test_everything_that_changes_the_request_makes_another_identity(other: Identity) -> None:
    """Whatever STS is asked for with other parameters is not shared."""
    one = role(ROLE, Session(name="pullkeeper-a"))
    assert one == role(ROLE, Session(name="pullkeeper-a"))
    assert one != other
    assert len({TokenScope.of(EU, each) for each in (one, other)}) == 2


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


def test_each_endpoint_is_a_scope_of_its_own() -> None:
    """A FIPS or dual-stack endpoint that fails says nothing about the plain one."""
    plain = TokenScope(identity=CONTROLLER, region="us-east-1")
    others = [replace(plain, fips=True), replace(plain, dual_stack=True), replace(plain, fips=True, dual_stack=True)]
    others += [replace(plain, public=True), replace(plain, identity=Identity(name=ROLE)), replace(plain, region="x")]
    assert len({plain, *others}) == len({scope.label for scope in (plain, *others)}) + 1 == 7
    name = f"{EU.account}.dkr{{}}.us-east-1.{{}}"
    forms = [(".ecr", "amazonaws.com"), (".ecr-fips", "amazonaws.com"), ("-ecr", "on.aws"), ("-ecr-fips", "on.aws")]
    hosts = [parse(name.format(*form)) for form in forms]
    assert [TokenScope.of(host, CONTROLLER) for host in hosts] == [plain, *others[:3]]


@pytest.mark.parametrize("host", HOSTS)
def test_label_needs_no_identity(host: RegistryHost) -> None:
    """It is what a Secret's annotations name a token by."""
    assert scope_label(host) == TokenScope.of(host, CONTROLLER).label == TokenScope.of(host, Identity(name="x")).label


@pytest.mark.parametrize(
    "name",
    [
        CONTROLLER.name,
        ROLE,
        f"{ROLE} for team-a",
        "arn:aws:iam::123456789012:role/a#b/name",
        "system:serviceaccount:team-a:my.puller",
    ],
)
def test_valid_names_are_read_back(name: str) -> None:
    """From the annotation of a Secret."""
    assert check_name(name) == name


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
        check_name(name)


@given(st.text("ab-", max_size=70), st.text("ab-", max_size=70))
def test_shortened_names_are_short_and_differ(one: str, two: str) -> None:
    """Short names are unchanged; different long names stay different."""
    assert len(shortened(one)) <= 64
    assert (shortened(one) == one) is (len(one) <= 64)
    assert (shortened(one) == shortened(two)) is (one == two)


def test_a_name_that_fits_is_left_alone() -> None:
    """STS takes 64 characters; a longer one is cut to just that."""
    assert shortened("x" * 64) == "x" * 64
    assert len(shortened("x" * 65)) == 64
