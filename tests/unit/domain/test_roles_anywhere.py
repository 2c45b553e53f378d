"""Identities of IAM Roles Anywhere: which settings are one, and what is said of the others."""

from datetime import UTC, datetime, timedelta

import pytest

from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam.roles_anywhere import CertificateInfo, parse
from tests.unit.domain.test_settings import GIVEN

ANCHOR, PROFILE, ROLE = (GIVEN[key] for key in ("trustAnchorArn", "profileArn", "roleArn"))

WRONG = [
    ("trustAnchorArn", PROFILE, r'trustAnchorArn: "arn:PARTITION:rolesanywhere:REGION:ACCOUNT:trust-anchor/UUID"'),
    ("trustAnchorArn", f"{ANCHOR}\n", "trustAnchorArn: "),
    ("trustAnchorArn", ANCHOR.replace("cn-north-1", "a.example/#-b-1"), "trustAnchorArn: "),
    ("trustAnchorArn", None, "trustAnchorArn: "),
    ("profileArn", ANCHOR, "profileArn: "),
    ("profileArn", 7, "profileArn: "),
    ("profileArn", PROFILE.replace("north", "northwest"), "a profile in the trust anchor's region cn-north-1"),
    ("profileArn", PROFILE.replace("aws-cn", "aws"), "a profile in the trust anchor's region cn-north-1"),
    ("roleArn", ROLE.replace("aws-cn", "aws"), "roleArn: a role of the trust anchor's partition aws-cn"),
    ("roleArn", "arn:aws-cn:iam::123456789012:user/a", "roleArn: a role, since nothing else can be assumed"),
    ("roleArn", 7, 'roleArn: "arn:PARTITION:iam::ACCOUNT:role/NAME"'),
    ("roleArn", [ROLE], 'roleArn: "arn:PARTITION:iam::ACCOUNT:role/NAME"'),
    ("certificateFile", "", "certificateFile: the path of a PEM file"),
    ("keyFile", 7, "keyFile: the path of a PEM file"),
]


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_problem_names_the_key_and_what_is_expected_of_it(key: str, value: object, expected: str) -> None:
    """Found at the start, before any call."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"rolesAnywhere": {**GIVEN, key: value}}, {})
    (problem,) = raised.value.problems
    assert problem.where == "rolesAnywhere"
    assert expected in problem.expected


def test_region_must_be_one_of_the_partition() -> None:
    """It becomes part of the host that is asked."""
    elsewhere = {key: value.replace("cn-north-1", "eu-west-1") for key, value in GIVEN.items()}
    with pytest.raises(InvalidInputError, match="trustAnchorArn: a region of partition aws-cn"):
        parse_settings({"rolesAnywhere": elsewhere}, {})


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ({}, {"AWS_REGION": "cn-north-1"}),
        ({"AWS_REGION": "cn-northwest-1"}, {"AWS_REGION": "cn-northwest-1"}),
        ({"AWS_DEFAULT_REGION": "cn-northwest-1"}, {"AWS_DEFAULT_REGION": "cn-northwest-1"}),
    ],
)
def test_environment_names_the_role_and_the_region_of_the_trust_anchor(
    given: dict[str, str], region: dict[str, str]
) -> None:
    """A region that is configured wins: it is where STS is asked."""
    assert parse(GIVEN).environment({"A": "b", **given}) == {"A": "b", "AWS_ROLE_ARN": ROLE, **region}


def test_certificate_is_described_in_one_line() -> None:
    """Subject, issuer and end; a certificate may have no subject."""
    start, end = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    info = CertificateInfo(subject="CN=a", issuer="CN=b", not_before=start, not_after=end)
    assert str(info) == "CN=a, issued by CN=b, valid until 2026-04-02T00:00:00Z"
    nameless = CertificateInfo(subject="", issuer="CN=b", not_before=start, not_after=end)
    assert str(nameless) == "without a subject, issued by CN=b, valid until 2026-04-02T00:00:00Z"
    svid = CertificateInfo(subject="O=SPIRE", issuer="CN=b", not_before=start, not_after=end, uri="spiffe://x/y")
    assert str(svid) == "O=SPIRE, spiffe://x/y, issued by CN=b, valid until 2026-04-02T00:00:00Z"


@pytest.mark.parametrize(
    ("life", "left", "ending"),
    [
        (timedelta(days=90), timedelta(days=30), False),
        (timedelta(days=90), timedelta(days=10), False),
        (timedelta(days=90), timedelta(days=9, hours=23), True),
        (timedelta(days=3650), timedelta(days=11), False),
        (timedelta(hours=24), timedelta(hours=5), False),
        (timedelta(hours=24), timedelta(hours=4), True),
        (timedelta(hours=24), -timedelta(hours=1), True),
    ],
)
def test_certificate_should_have_been_renewed(life: timedelta, left: timedelta, ending: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """When little is left of it, by its own length: whoever renews it has missed the moment."""
    now = datetime(2026, 4, 2, tzinfo=UTC)
    info = CertificateInfo(subject="CN=a", issuer="CN=b", not_before=now + left - life, not_after=now + left)
    assert info.is_ending(now) is ending
