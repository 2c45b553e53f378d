"""Names of principals: one for each, whoever tells of it, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.iam.principal import UNKNOWN, differ, of_access_key, of_caller, of_identity, of_role, parse

ACCOUNT = "123456789012"
KEY = "AKIAIOSFODNN7EXAMPLE"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/puller"
USER = f"arn:aws:iam::{ACCOUNT}:user/team/ci"


@pytest.mark.parametrize("path", ["", "team/", "a/b/c/"])
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"])
def test_role_is_one_principal_in_the_configuration_and_at_sts(partition: str, path: str) -> None:
    """STS tells neither the path nor, for another session, the same session name."""
    role = f"arn:{partition}:sts::{ACCOUNT}:assumed-role/puller"
    assert of_role(f"arn:{partition}:iam::{ACCOUNT}:role/{path}puller") == role
    assert {of_caller(f"{role}/{session}") for session in ("i-0123", "eks-prod-1", "a@b")} == {role}
    assert parse(role) == role


@pytest.mark.parametrize(
    "arn", [USER, f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:federated-user/x", "arn:aws-cn:iam::1:root"]
)
def test_other_callers_are_what_sts_names_them(arn: str) -> None:
    """As long as it is an ARN of an account."""
    assert of_caller(arn) == (arn if ACCOUNT in arn else UNKNOWN)


@pytest.mark.parametrize("arn", ["", "puller", USER, ROLE, f"arn:aws:iam::{ACCOUNT}:role/{'x' * 65}"])
def test_what_is_no_role_is_no_principal_of_one(arn: str) -> None:
    """Such a configuration fails by itself."""
    assert of_role(arn) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "principal"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/a/puller", ROLE),
        (f"arn:aws:iam::{ACCOUNT}:role/a/puller for team-a", ROLE),
        ("controller", UNKNOWN),
        ("system:serviceaccount:team-a:puller", UNKNOWN),
    ],
)
def test_name_of_an_identity_says_the_principal_of_a_role_alone(name: str, principal: str) -> None:
    """Of the others somebody has to be asked."""
    assert of_identity(name) == principal


def test_access_key_is_told_by_a_hash() -> None:
    """Tenants can read it: it shows neither the key id nor the account that the id encodes."""
    assert of_access_key(KEY) == of_access_key(KEY) == parse(of_access_key(KEY))
    assert KEY[4:] not in of_access_key(KEY)
    assert of_access_key(KEY) != of_access_key(KEY.replace("7", "8"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "controller",
        f"{ROLE}/session",
        f"{ROLE} for team-a",
        f"{ROLE}\n",
        ROLE.replace("1", "\u0661"),
        f"arn:aws:iam::{ACCOUNT}:user/{'p' * 511}/x",
        f"arn:aws:iam::{ACCOUNT}:group/x",
        f"access-key/{KEY}",
        "access-key/0123456789AB",
        "a" * 300_000,
        "arn:aws" + "-a" * 200_000,
    ],
)
def test_annotation_of_any_other_form_says_nothing(text: str) -> None:
    """It is a tenant's text: of known form and limited length, or ignored."""
    assert parse(text) == UNKNOWN


@given(st.text(max_size=700) | st.from_regex(r"arn:aws:sts::[0-9]{12}:assumed-role/\S{1,80}"))
def test_whatever_is_parsed_is_itself_and_short(text: str) -> None:
    """Never anything made out of the text."""
    found = parse(text)
    assert found in {UNKNOWN, text}
    assert len(found) <= 640
    assert found.isascii()
    assert found.isprintable()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(ROLE, USER, True), (ROLE, ROLE, False), (ROLE, "", False), ("", ROLE, False), ("", "", False)],
)
def test_only_known_principals_differ(one: str, other: str, *, expected: bool) -> None:
    """What is not known is no reason to do anything."""
    assert differ(one, other) is expected


@pytest.mark.parametrize(("length", "known"), [(640, True), (641, False)])
def test_a_principal_has_a_length_that_is_bounded(length: int, *, known: bool) -> None:
    """It is written into annotations."""
    arn = f"arn:aws-{'x' * (length - len(ACCOUNT) - 19)}:iam::{ACCOUNT}:root"
    assert len(arn) == length
    assert parse(arn) == (arn if known else UNKNOWN)
