"""The fake's IAM reads policies strictly and judges as IAM does."""

from typing import Any

import pytest

from testsupport.fake_aws.policies import Access, matches, parse

ROLE = "arn:aws:iam::123456789012:role/x"
ALLOW = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}


def allows(*statements: dict[str, Any], of_identity: bool = True, **access: Any) -> bool:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    given = {"action": "sts:AssumeRole", "resource": ROLE, **access}
    return parse(document, of_identity=of_identity).allows(Access(**given))


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (ALLOW, True),
        ({**ALLOW, "Action": ["sts:TagSession", "STS:assume*"]}, True),
        ({**ALLOW, "Action": "sts:TagSession"}, False),
        ({**ALLOW, "Resource": "arn:aws:iam::*:role/?"}, True),
        ({**ALLOW, "Resource": f"{ROLE}/y"}, False),
    ],
)
def test_actions_ignore_case_and_resources_are_patterns(statement: dict[str, Any], *, allowed: bool) -> None:
    """Both may be lists, of which one has to match."""
    assert allows(statement) == allowed


def test_what_is_denied_is_denied_whatever_allows_it() -> None:
    """And what nothing allows is denied too."""
    assert not allows(ALLOW, {**ALLOW, "Effect": "Deny", "Resource": "*"})
    assert allows(ALLOW, {**ALLOW, "Effect": "Deny", "Resource": "arn:other"})


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": ["a"]}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringLike": {"k": "a*"}}, {"k": ["ab"]}, True),
        ({"ArnEquals": {"k": "arn:aws:x:*"}}, {"k": ["arn:aws:x:y"]}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": ["a"], "l": ["c"]}, False),
        ({"StringEquals": {"k": "a"}, "StringLike": {"l": "b"}}, {"k": ["a"], "l": ["c"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "b"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": ["c", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {}, False),
    ],
)
def test_conditions_hold_as_in_iam(condition: dict[str, Any], context: dict[str, Any], *, holds: bool) -> None:
    """All operators and keys have to, one value of each; of a missing key only ForAllValues holds."""
    assert allows({**ALLOW, "Condition": condition}, context=context) == holds


def test_principals_are_exact() -> None:
    """A trust policy names them; whoever is named otherwise is somebody else."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": [ROLE, "123456789012"]}}
    assert allows(trust, of_identity=False, principals=frozenset({ROLE}))
    assert not allows(trust, of_identity=False, principals=frozenset({f"{ROLE}y"}))


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("a*c", "abbc", True),
        ("a?c", "ac", False),
        ("a${*}c", "a*c", True),
        ("a${*}c", "abc", False),
        ("${?}${$}x", "?$x", True),
        ("$", "$", True),
        ("a.c", "abc", False),
        ("", "a", False),
    ],
)
def test_marks_that_are_escaped_are_characters(pattern: str, text: str, *, matched: bool) -> None:
    """As IAM's policy variables have it."""
    assert matches(pattern, text) == matched


@pytest.mark.parametrize(
    ("document", "of_identity"),
    [
        ({"Statement": [ALLOW]}, True),
        ({"Version": "2008-10-17", "Statement": [ALLOW]}, True),
        ({"Version": "2012-10-17", "Statement": []}, True),
        ({"Version": "2012-10-17", "Statement": [ALLOW], "Note": "x"}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Sid": "A b"}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Effect": "allow"}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "NotAction": "x"}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Action": []}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Principal": {"AWS": ROLE}}]}, True),
        ({"Version": "2012-10-17", "Statement": [ALLOW]}, False),
        ({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x", "Principal": "*"}]}, False),
        ({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x", "Principal": {"X": "y"}}]}, False),
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x", "Principal": {"AWS": "a*"}}]},
            False,
        ),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Condition": {"StringEqual": {"k": "a"}}}]}, True),
        ({"Version": "2012-10-17", "Statement": [{**ALLOW, "Condition": {"StringEquals": {}}}]}, True),
    ],
)
def test_what_iam_or_the_fake_does_not_know_is_an_error(document: dict[str, Any], *, of_identity: bool) -> None:
    """A policy is never taken for one that allows more or less than it says."""
    with pytest.raises(ValueError, match=r"not a|no pattern|not statements|not principals"):
        parse(document, of_identity=of_identity)
