"""Failures: a closed set of reasons, and what each means for the next attempt."""

from dataclasses import dataclass, field
from enum import StrEnum


class Reason(StrEnum):
    """Reason of a failure; metrics, Events and logs use these names."""

    ACCESS_DENIED = "AccessDenied"
    THROTTLED = "Throttled"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_INVALID = "CredentialsInvalid"
    NODE_ROLE_REFUSED = "NodeRoleRefused"
    CREDENTIALS_TIMEOUT = "CredentialsTimeout"
    REGION_INVALID = "RegionInvalid"
    REGION_NOT_ENABLED = "RegionNotEnabled"
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
        """Whether the failure lasts until somebody grants or fixes something, so that retrying soon is useless."""
        return self in _REQUIRES_ACTION


_REQUIRES_ACTION = frozenset(
    {
        Reason.ACCESS_DENIED,
        Reason.CREDENTIALS_INVALID,
        Reason.NODE_ROLE_REFUSED,
        Reason.REGION_INVALID,
        Reason.REGION_NOT_ENABLED,
        Reason.REGISTRY_REJECTED,
        Reason.ROLE_NOT_ALLOWED,
        Reason.SERVICE_ACCOUNT_UNUSABLE,
        Reason.INVALID_ANNOTATION,
        Reason.SECRET_CONFLICT,
        # Not KUBERNETES_DENIED: an API server that is starting denies requests for a moment that it allows later.
    }
)

TOKEN_REASONS = frozenset(
    {
        Reason.ACCESS_DENIED,
        Reason.THROTTLED,
        Reason.CREDENTIALS_MISSING,
        Reason.CREDENTIALS_INVALID,
        Reason.CREDENTIALS_TIMEOUT,
        Reason.NODE_ROLE_REFUSED,
        Reason.REGION_INVALID,
        Reason.REGION_NOT_ENABLED,
        Reason.NETWORK_UNREACHABLE,
        Reason.SERVICE_ERROR,
        Reason.MALFORMED_ANSWER,
        Reason.TOKEN_EXPIRED,
        Reason.SERVICE_ACCOUNT_UNUSABLE,
    }
)
"""Reasons for which a token cannot be fetched."""

OWNER_REASONS = frozenset({Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED})
"""Reasons that the owner of the namespace can correct in its annotations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What failed, with a message for whoever can fix it; never contains a token."""

    reason: Reason
    message: str
    detail: str = field(default="", compare=False)
    """Variable text such as AWS's message; ignored when failures are compared."""
    identity: str = field(default="", compare=False)
    """Identity of the token that could not be fetched; a log field, which the message states as well."""
    region: str = field(default="", compare=False)
    """Region of that token."""

    def __str__(self) -> str:
        return f"{self.message}{self.detail_suffix} ({self.reason})"

    @property
    def detail_suffix(self) -> str:
        """The detail in brackets, to append to the message."""
        return f" [{self.detail}]" if self.detail else ""


def foreign_secret_failure(namespace: str) -> Failure:
    """Return the failure for a Secret of the pull Secret's name that Pullkeeper does not manage."""
    message = (
        f"namespace/{namespace}: a Secret with the pull Secret's name exists and is not managed by Pullkeeper, so it "
        "is not changed: delete or rename it, or hand it over by adding the label "
        "app.kubernetes.io/managed-by=pullkeeper"
    )
    return Failure(reason=Reason.SECRET_CONFLICT, message=message)


class FailureError(Exception):
    """An operation on another system failed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


class StaleObservationError(Exception):
    """The object has changed since it was observed: nothing was written; reconcile again."""


class NamespaceGoneError(Exception):
    """The namespace is terminating or gone: nothing was written, and there is nothing left to write."""


class NotLeadingError(Exception):
    """This replica is not the leader any more: nothing was written."""
