"""Parsing of role ARNs."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pullkeeper.domain.iam.role_arn import FORM, RoleArn, parse

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"
SESSION = f"the ARN of the role, not of a session of it: {FORM}"
NO_ROLE = f"a role, since nothing else can be assumed: {FORM}"

# As IAM's reference gives them: the forms of an ARN, of a path (512 with its slashes) and of a role's name.
ORACLE = re.compile(r"arn:(aws(?:-[a-z]+)*):iam::([0-9]{12}):role(/|/[\x21-\x7e]{1,510}/)([\w+=,.@-]{1,64})", re.ASCII)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-eusc"])
@pytest.mark.parametrize("name", ["a", "team/puller", "a/b/c/puller", "Puller_1+=,.@-", "x" * 64, "!#~:*/puller"])
def test_roles_of_any_partition_and_path_are_parsed(partition: str, name: str) -> None:
    """With partition and account."""
    text = f"arn:{partition}:iam::{ACCOUNT}:role/{name}"
    assert parse(text) == RoleArn(text=text, partition=partition, account=ACCOUNT)


def test_the_longest_path_is_accepted() -> None:
    """512 characters, including both slashes."""
    assert parse(f"arn:aws:iam::{ACCOUNT}:role/{'p' * 510}/x").account == ACCOUNT
    with pytest.raises(ValueError, match="ACCOUNT"):
        parse(f"arn:aws:iam::{ACCOUNT}:role/{'p' * 511}/x")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/puller/session", SESSION),
        (f"arn:aws:iam::{ACCOUNT}:user/puller", NO_ROLE),
        (f"arn:aws:iam::{ACCOUNT}:root", NO_ROLE),
        (f"arn:aws:iam::{ACCOUNT}:group/pullers", NO_ROLE),
        ("arn:aws:s3:::bucket", NO_ROLE),
        ("", FORM),
        ("puller", FORM),
        (f"{ROLE}\n", FORM),
        (f" {ROLE}", FORM),
        (f"{ROLE}/", FORM),
        (f"{ROLE} x", FORM),
        (f"x{ROLE}", FORM),
        (ROLE.upper(), FORM),
        (ROLE.replace("iam", "sts"), FORM),
        (ROLE.replace("::", ":eu-west-1:"), FORM),
        (ROLE.replace(":aws:", ":aws-:"), FORM),
        (ROLE.replace(":aws:", ":gcp:"), FORM),
        (ROLE.replace(ACCOUNT, ACCOUNT[:-1]), FORM),
        (ROLE.replace(ACCOUNT, f"{ACCOUNT}3"), FORM),
        (ROLE.replace(ACCOUNT, "*"), FORM),
        (ROLE.replace(ACCOUNT, "١٢٣٤٥٦٧٨٩٠١٢"), FORM),
        (ROLE.replace("puller", ""), FORM),
        (ROLE.replace("puller", "x" * 65), FORM),
        (ROLE.replace("puller", "team *"), FORM),
        (ROLE.replace("puller", "pülle"), FORM),
    ],
)
def test_anything_else_is_rejected_with_the_expected_form(text: str, advice: str) -> None:
    """Users, sessions, other services and malformed ARNs."""
    with pytest.raises(ValueError, match="PARTITION") as raised:
        parse(text)
    assert str(raised.value) == advice


PARTS = st.sampled_from(["arn:", ":", "aws", "-cn", "iam::", ACCOUNT, ":role", "/", "puller", "user/x", "\n", " "])


@given(st.from_regex(ORACLE, fullmatch=True) | st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=60))
@example(f"{ROLE}\n")
def test_exactly_the_arns_of_iams_form_are_accepted(text: str) -> None:
    """From the first character to the last."""
    match = ORACLE.fullmatch(text)
    try:
        parsed = parse(text)
    except ValueError:
        assert match is None
    else:
        assert match is not None
        assert (parsed.text, parsed.partition, parsed.account) == (text, match[1], match[2])


def test_a_role_reads_as_its_arn() -> None:
    """In messages."""
    assert f"{parse(ROLE)}" == ROLE
