"""ARNs of users, roles and role sessions, and the names that belong to a region."""

from __future__ import annotations

import re
from typing import Final

from testsupport.fake_aws.records import Principal

_IAM_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):(?P<kind>user|role)/[\w+=,.@/-]+", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
# The longest prefix wins, so the more special partitions stand first.
_DOMAINS: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("", "amazonaws.com"),
)


def check_iam_arn(arn: str, kind: str) -> str:
    """Give the ARN itself; raises ValueError where it is not one of a user or of a role, as `kind` says."""
    match = _IAM_ARN.fullmatch(arn)
    if match is None or match["kind"] != kind:
        raise ValueError(f"{arn!r} is not the ARN of a {kind}: arn:aws:iam::<12 digits>:{kind}/<name>")
    return arn


def account_of(arn: str) -> str:
    """Give the account number in an ARN."""
    return arn.split(":")[4]


def principal_of_user(arn: str, user_id: str) -> Principal:
    """Give an IAM user as a principal."""
    return Principal(arn=check_iam_arn(arn, "user"), account=account_of(arn), user_id=user_id)


def is_region(name: str) -> bool:
    """Whether this has the form of a region's name."""
    return _REGION.fullmatch(name) is not None


def registry_host(account: str, region: str) -> str:
    """Give the host of an account's private registry in a region."""
    domain = next(domain for prefix, domain in _DOMAINS if region.startswith(prefix))
    return f"{account}.dkr.ecr.{region}.{domain}"


def like(pattern: str, text: str) -> bool:
    """IAM's StringLike: `*` is any run of characters, `?` any one, all else itself."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
