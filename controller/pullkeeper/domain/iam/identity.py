"""The IAM principal that tokens are fetched as."""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum

from pullkeeper.domain.iam import role_arn

_ACCOUNT_PREFIX = "system:serviceaccount:"
_FOR = " for "
"""Stands between a role and the one namespace that its tokens are for; no ARN holds a space."""

NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
"""The names of Namespaces and ServiceAccounts: nothing that could lead out of their place in a path."""


class Kind(StrEnum):
    """The three ways of getting AWS credentials."""

    CONTROLLER = "controller"
    ROLE = "role"
    SERVICE_ACCOUNT = "service account"


_LONGEST_SESSION = 64
_KEPT = 55


def shortened(text: str) -> str:
    """Cut the name of a session to what STS takes, so that two that differ still do."""
    if len(text) <= _LONGEST_SESSION:
        return text
    return f"{text[:_KEPT]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """How a role's session is opened; it says who is at work, and does not make another identity."""

    name: str
    external_id: str | None = None
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Identity:
    """The IAM principal that tokens are fetched as; its name alone tells one from another."""

    name: str
    role_arn: str = field(default="", compare=False)
    session: Session | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        """Tell how its credentials are had."""
        if self.name.startswith(_ACCOUNT_PREFIX):
            return Kind.SERVICE_ACCOUNT
        return Kind.ROLE if self.name.startswith("arn:") else Kind.CONTROLLER

    @property
    def service_account(self) -> tuple[str, str]:
        """Give the namespace and the name of the ServiceAccount that it is."""
        namespace, _, name = self.name.removeprefix(_ACCOUNT_PREFIX).partition(":")
        return namespace, name


CONTROLLER = Identity(name="controller")
"""The controller's own identity, as botocore's credential chain finds it."""


def service_account(namespace: str, name: str) -> Identity:
    """Give the identity of a ServiceAccount, named as IAM's trust policies name it."""
    return Identity(name=f"{_ACCOUNT_PREFIX}{namespace}:{name}")


def role(arn: str, session: Session, *, only_for: str = "") -> Identity:
    """Give the identity of a role; `only_for` names the namespace that alone may have its tokens."""
    return Identity(name=f"{arn}{_FOR}{only_for}" if only_for else arn, role_arn=arn, session=session)


def parse(name: str) -> Identity:
    """Read an identity's name, which may come from a Secret's annotation and so from anybody; raises ValueError."""
    arn, _, only_for = name.partition(_FOR)
    found = Identity(name=name, role_arn=arn if name.startswith("arn:") else "")
    parts: tuple[str, ...] = ()
    if found.kind is Kind.ROLE:
        role_arn.parse(arn)
        parts = (only_for,) if only_for else ()
    elif found.kind is Kind.SERVICE_ACCOUNT:
        parts = found.service_account
    elif name != CONTROLLER.name:
        raise ValueError(name)
    if not all(NAME.fullmatch(part) for part in parts):
        raise ValueError(name)
    return found
