"""ARNs of IAM roles."""

import re
from dataclasses import dataclass

from pullkeeper.domain.kube.annotation_lists import trimmed

# IAM: a role's name has at most 64 of these characters, its path at most 512.
PATTERN = (
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/(?:[!-~]{1,510}/)?[A-Za-z0-9+=,.@_-]{1,64}"
)
"""The chart's admission policy is generated from it: it has to mean the same in Go's RE2."""
FORM = '"arn:PARTITION:iam::ACCOUNT:role/NAME"'
NOT_A_SESSION = f"the ARN of the role, not of a session of it: {FORM}"
NOTHING_ELSE = f"a role, since nothing else can be assumed: {FORM}"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""The annotation of a ServiceAccount that names its role, as for IAM roles for service accounts."""
_ROLE = re.compile(PATTERN)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleArn:
    """ARN of an IAM role."""

    text: str
    partition: str
    account: str

    def __str__(self) -> str:
        return self.text


def parts(text: str) -> list[str]:
    """Return the ARNs of a list that is separated by commas or newlines.

    The name of a role may have commas: one separates only before an ARN and at the end of a line.
    """
    lines = f"{text}\n".replace(",\n", "\n").replace(", arn:", "\narn:").replace(",arn:", "\narn:").split("\n")
    return trimmed(lines)


def parse(text: str) -> RoleArn:
    """Parse a role's ARN; raises ValueError with the expected form."""
    if match := _ROLE.fullmatch(text):
        return RoleArn(text=text, partition=match["partition"], account=match["account"])
    if ":sts:" in text and ":assumed-role/" in text:
        raise ValueError(NOT_A_SESSION)
    if text.startswith("arn:") and ":role/" not in text:
        raise ValueError(NOTHING_ELSE)
    raise ValueError(FORM)
