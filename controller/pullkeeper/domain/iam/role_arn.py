"""The ARN of an IAM role, from text to a value, and nothing but a role's."""

import re
from dataclasses import dataclass

# IAM's characters for paths and names; a role's name has at most 64 of them, a path at most 512.
_ROLE = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/(?:[!-~]{1,510}/)?(?P<name>[A-Za-z0-9+=,.@_-]{1,64})"
)
FORM = '"arn:PARTITION:iam::ACCOUNT:role/NAME"'


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleArn:
    """A role's ARN."""

    text: str
    partition: str
    account: str

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> RoleArn:
    """Read a role's ARN, matched whole; raises ValueError that says how to write it."""
    if match := _ROLE.fullmatch(text):
        return RoleArn(text=text, partition=match["partition"], account=match["account"])
    if ":sts:" in text and ":assumed-role/" in text:
        raise ValueError(f"the role's own ARN, not that of a session of it: {FORM}")
    if text.startswith("arn:") and ":role/" not in text:
        raise ValueError(f"a role, which is all that can be assumed: {FORM}")
    raise ValueError(FORM)
