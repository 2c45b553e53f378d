"""ARNs of users, roles and role sessions."""

from __future__ import annotations

import re
from typing import Final

from testsupport.fake_aws.records import Principal

_IAM_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):(?P<kind>user|role)/[\w+=,.@/-]+", re.ASCII)


def check_iam_arn(arn: str, kind: str) -> str:
    """Give the ARN itself; raises ValueError where it is not one of a user or of a role, as `kind` says."""
    match = _IAM_ARN.fullmatch(arn)
    if match is None or match["kind"] != kind:
        raise ValueError(f"{arn!r} is not the ARN of a {kind}: arn:aws:iam::<12 digits>:{kind}/<name>")
    return arn


def partition_of(arn: str) -> str:
    """Give the partition in an ARN: aws or aws-cn, for example."""
    return arn.split(":")[1]


def account_of(arn: str) -> str:
    """Give the account number in an ARN."""
    return arn.split(":")[4]


def principal_of_user(arn: str, user_id: str) -> Principal:
    """Give an IAM user as a principal."""
    return Principal(arn=check_iam_arn(arn, "user"), account=account_of(arn), user_id=user_id)


def like(pattern: str, text: str) -> bool:
    """IAM's StringLike: `*` is any run of characters, `?` any one, all else itself."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
