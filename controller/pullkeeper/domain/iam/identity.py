"""The IAM principal that tokens are fetched as."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from pullkeeper.domain.iam import role_arn

_ACCOUNT_PREFIX = "system:serviceaccount:"
_OWN_PREFIX = "controller/"
_FOR = " for "
"""Separates a role from the only namespace that may use its tokens; ARNs contain no spaces."""

NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
"""Names of Namespaces and ServiceAccounts; safe in URL paths."""
OWN_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,30}[a-z0-9])?")
"""Names of the controller's identities in the settings."""


class Kind(StrEnum):
    """How the AWS credentials of an identity are obtained."""

    CONTROLLER = "controller"
    ROLE = "role"
    SERVICE_ACCOUNT = "service account"


_MAX_SESSION_NAME = 64
_KEPT_LENGTH = 55


def shortened(text: str) -> str:
    """Shorten a session name to the 64 characters that STS takes; different names stay different."""
    if len(text) <= _MAX_SESSION_NAME:
        return text
    return f"{text[:_KEPT_LENGTH]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Parameters of a role session."""

    name: str
    external_id: str | None = None
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The IAM principal that tokens are fetched as, with everything that STS is asked to make it from.

    Two identities of the same name may differ in the rest; they share nothing. A name alone, such as the one that a
    pull Secret records, is not an identity.
    """

    name: str
    role_arn: str = ""
    session: Session | None = None
    uid: str = ""
    """Of the ServiceAccount: made anew under its name, it is another identity. "" until it has been looked up."""
    audience: str = ""
    """Of the ServiceAccount's tokens."""
    principal: str = ""
    """Who is behind a name that does not say it (see `principal`); "" until that is known, and for a role."""
    assumed_by: str = ""
    """Of a role: the name of the controller's identity that assumes it; "" for the one that has no name."""

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> Kind:
        """How its credentials are obtained."""
        if self.name.startswith(_ACCOUNT_PREFIX):
            return Kind.SERVICE_ACCOUNT
        return Kind.ROLE if self.name.startswith("arn:") else Kind.CONTROLLER

    @property
    def own_name(self) -> str:
        """The name that one of the controller's identities has in the settings; "" for every other."""
        return self.name.removeprefix(_OWN_PREFIX) if self.name.startswith(_OWN_PREFIX) else ""

    @property
    def assuming(self) -> "Identity":
        """The controller's identity that assumes this role."""
        return Identity(name=self.assumed_by) if self.assumed_by else CONTROLLER

    @property
    def taken_by(self) -> "Identity":
        """Whose credentials its tokens begin with: those of the controller's identity that assumes it, or its own."""
        return self.assuming if self.kind is Kind.ROLE else Identity(name=self.name)

    @property
    def service_account(self) -> tuple[str, str]:
        """Namespace and name of the ServiceAccount."""
        namespace, _, name = self.name.removeprefix(_ACCOUNT_PREFIX).partition(":")
        return namespace, name


CONTROLLER = Identity(name="controller")
"""The controller's own identity, from botocore's credential chain."""


def own(name: str) -> Identity:
    """Return the controller's identity of this name in the settings."""
    return Identity(name=f"{_OWN_PREFIX}{name}")


def service_account(namespace: str, name: str) -> Identity:
    """Return the identity of a ServiceAccount, named like the subject in IAM trust policies."""
    return Identity(name=f"{_ACCOUNT_PREFIX}{namespace}:{name}")


def role(arn: str, session: Session, *, only_for: str = "", assumed_by: Identity = CONTROLLER) -> Identity:
    """Return the identity of a role; `only_for` is the only namespace that may use its tokens."""
    name = f"{arn}{_FOR}{only_for}" if only_for else arn
    by = "" if assumed_by == CONTROLLER else assumed_by.name
    return Identity(name=name, role_arn=arn, session=session, assumed_by=by)


def check_name(name: str) -> str:
    """Return an identity's name, which comes from an annotation and so is not trusted; raises ValueError."""
    arn, _, only_for = name.partition(_FOR)
    found = Identity(name=name)
    parts: tuple[str, ...] = ()
    if found.kind is Kind.ROLE:
        role_arn.parse(arn)
        parts = (only_for,) if only_for else ()
    elif found.kind is Kind.SERVICE_ACCOUNT:
        parts = found.service_account
    elif name != CONTROLLER.name and not _is_own(name):
        raise ValueError(name)
    if not all(NAME.fullmatch(part) for part in parts):
        raise ValueError(name)
    return name


def _is_own(name: str) -> bool:
    return name.startswith(_OWN_PREFIX) and OWN_NAME.fullmatch(name.removeprefix(_OWN_PREFIX)) is not None
