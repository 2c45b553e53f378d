"""The principal behind an identity: a name that a pull Secret can show, and that tells two of them apart."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from pullkeeper.domain.iam import role_arn

UNKNOWN = ""
"""Nothing can be told of it; it counts as neither the same as another nor different."""
NOBODY = "nobody"
"""Nobody is behind an identity any more; unlike whatever a pull Secret says, since `parse` never returns it."""
_MAX_LENGTH = 640
_NAME = r"[A-Za-z0-9+=,.@_-]{1,64}"
_FORM = re.compile(
    r"arn:aws(?:-[a-z]+)*:"
    rf"(?:sts::[0-9]{{12}}:(?:assumed-role|federated-user)/{_NAME}|iam::[0-9]{{12}}:(?:root|user/(?:[!-~]{{1,510}}/)?{_NAME}))"
    r"|access-key/[0-9a-f]{12}"
)
_SESSION_OF_ROLE = re.compile(rf"(?P<role>arn:[a-z-]+:sts::[0-9]{{12}}:assumed-role/{_NAME})/{_NAME}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Current:
    """The principal that is behind an identity now."""

    name: str = UNKNOWN
    since: datetime | None = None
    """From then on others' tokens are replaced, each namespace in its turn; None for at once."""


def of_role(arn: str) -> str:
    """Return the principal of a role: as STS names its sessions, without the path, which no session has."""
    try:
        role = role_arn.parse(arn)
    except ValueError:
        return UNKNOWN
    return f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.text.rpartition('/')[2]}"


def of_identity(name: str) -> str:
    """Return the principal of an identity if its name says it, as a role's does."""
    return of_role(name.partition(" ")[0])


def of_access_key(key_id: str) -> str:
    """Return the principal of a static access key: by a hash, since tenants can read it."""
    return f"access-key/{hashlib.sha256(key_id.encode()).hexdigest()[:12]}"


def of_caller(arn: str) -> str:
    """Return the principal that STS has named: all sessions of a role are one."""
    session = _SESSION_OF_ROLE.fullmatch(arn)
    return parse(session["role"] if session else arn)


def parse(text: str) -> str:
    """Return the principal that an annotation names; it is not trusted, and UNKNOWN if it has no known form."""
    return text if len(text) <= _MAX_LENGTH and _FORM.fullmatch(text) else UNKNOWN


def differ(one: str, other: str) -> bool:
    """Whether two principals are known to differ."""
    return UNKNOWN not in (one, other) and one != other
