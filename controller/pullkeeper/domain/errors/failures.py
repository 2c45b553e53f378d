"""Why something could not be done: a closed set of reasons, and what each means for the next try."""

from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Every reason that is ever reported; metrics and Events use these names."""

    ACCESS_DENIED = "AccessDenied"
    THROTTLED = "Throttled"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    NODE_ROLE_REFUSED = "NodeRoleRefused"
    REGION_INVALID = "RegionInvalid"
    NETWORK_UNREACHABLE = "NetworkUnreachable"
    SERVICE_ERROR = "ServiceError"
    MALFORMED_ANSWER = "MalformedAnswer"
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105 -- the name of a reason
    REGISTRY_REJECTED = "RegistryRejected"
    ROLE_NOT_ALLOWED = "RoleNotAllowed"
    SERVICE_ACCOUNT_UNUSABLE = "ServiceAccountUnusable"
    INVALID_ANNOTATION = "InvalidAnnotation"
    SECRET_CONFLICT = "SecretConflict"  # noqa: S105 -- the name of a reason
    KUBERNETES_DENIED = "KubernetesDenied"
    KUBERNETES_UNAVAILABLE = "KubernetesUnavailable"

    @property
    def requires_action(self) -> bool:
        """Whether it stays until somebody grants or mends something, so that trying often is of no use."""
        return self in _NEEDS_SOMEBODY


_NEEDS_SOMEBODY = frozenset(
    {
        Reason.ACCESS_DENIED,
        Reason.CREDENTIALS_INVALID,
        Reason.NODE_ROLE_REFUSED,
        Reason.REGION_INVALID,
        Reason.REGISTRY_REJECTED,
        Reason.ROLE_NOT_ALLOWED,
        Reason.SERVICE_ACCOUNT_UNUSABLE,
        Reason.INVALID_ANNOTATION,
        Reason.SECRET_CONFLICT,
        # Not KUBERNETES_DENIED: an API server that is just starting refuses for a moment what it will grant.
    }
)

TOKEN_REASONS = frozenset(
    {
        Reason.ACCESS_DENIED,
        Reason.THROTTLED,
        Reason.CREDENTIALS_MISSING,
        Reason.CREDENTIALS_INVALID,
        Reason.NODE_ROLE_REFUSED,
        Reason.REGION_INVALID,
        Reason.NETWORK_UNREACHABLE,
        Reason.SERVICE_ERROR,
        Reason.MALFORMED_ANSWER,
        Reason.TOKEN_EXPIRED,
        Reason.SERVICE_ACCOUNT_UNUSABLE,
    }
)
"""The reasons for which a token cannot be had."""

OWNER_REASONS = frozenset({Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED})
"""The reasons that lie in what the owner of the namespace has written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What went wrong, in words for the one who can mend it; never a token."""

    reason: Reason
    message: str
    detail: str = field(default="", compare=False)
    """What varies from one time to the next (AWS's own words, a moment): it makes no other failure of it."""
    identity: str = field(default="", compare=False)
    """Whose token it is that could not be had, and of which region: for the log, the message says it in words."""
    region: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.message}{self.detail_suffix} ({self.reason})"

    @property
    def detail_suffix(self) -> str:
        """Show the detail, to be put behind the message."""
        return f" [{self.detail}]" if self.detail else ""


def foreign_secret_failure(namespace: str) -> Failure:
    """Say that a stranger's Secret stands in the way, and what to do."""
    message = (
        f"namespace/{namespace}: a Secret of the pull Secret's name is there and is not Pullkeeper's, so it is left "
        "alone: delete or rename it, or hand it over with the label app.kubernetes.io/managed-by=pullkeeper"
    )
    return Failure(reason=Reason.SECRET_CONFLICT, message=message)


class FailureError(Exception):
    """Something outside could not be done."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


class StaleObservationError(Exception):
    """The object is not as it was observed: nothing was written, and it is to be looked at again."""


class NamespaceGoneError(Exception):
    """The namespace is being deleted, or is gone: nothing was written, and nothing is to be."""


class NotLeadingError(Exception):
    """This replica does not lead any more: nothing was written, and nothing is to be."""
