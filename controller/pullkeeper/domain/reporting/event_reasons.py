"""Reasons of the Events posted in target namespaces; docs/observability.md lists them."""

from enum import StrEnum

from pullkeeper.domain.errors.failures import OWNER_REASONS, TOKEN_REASONS, Failure, Reason


class EventReason(StrEnum):
    """Every reason of an Event posted by the controller."""

    PULL_SECRET_CREATED = "PullSecretCreated"  # noqa: S105 -- the name of a reason, as are the next
    PULL_SECRET_UPDATED = "PullSecretUpdated"  # noqa: S105 -- as above
    PULL_SECRET_DELETED = "PullSecretDeleted"  # noqa: S105 -- as above
    SERVICE_ACCOUNT_ATTACHED = "ServiceAccountAttached"
    RECOVERED = "Recovered"
    INVALID_ANNOTATION = "InvalidAnnotation"
    ROLE_NOT_ALLOWED = "RoleNotAllowed"
    ACCESS_DENIED = "AccessDenied"
    TOKEN_FETCH_FAILED = "TokenFetchFailed"  # noqa: S105 -- as above
    REGISTRY_REJECTED = "RegistryRejected"
    SECRET_CONFLICT = "SecretConflict"  # noqa: S105 -- as above
    QUOTA_EXCEEDED = "QuotaExceeded"
    ADMISSION_REFUSED = "AdmissionRefused"
    WRITES_REVERTED = "WritesReverted"
    KUBERNETES_DENIED = "KubernetesDenied"
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"

    @property
    def warning(self) -> bool:
        """Whether the Event is of type Warning; the others are Normal."""
        return self not in _NORMAL


_NORMAL = frozenset(
    {
        EventReason.PULL_SECRET_CREATED,
        EventReason.PULL_SECRET_UPDATED,
        EventReason.PULL_SECRET_DELETED,
        EventReason.SERVICE_ACCOUNT_ATTACHED,
        EventReason.RECOVERED,
    }
)

_BY_FAILURE = {
    Reason.INVALID_ANNOTATION: EventReason.INVALID_ANNOTATION,
    Reason.ACCESS_DENIED: EventReason.ACCESS_DENIED,
    Reason.REGISTRY_REJECTED: EventReason.REGISTRY_REJECTED,
    Reason.ROLE_NOT_ALLOWED: EventReason.ROLE_NOT_ALLOWED,
    Reason.SECRET_CONFLICT: EventReason.SECRET_CONFLICT,
    Reason.QUOTA_EXCEEDED: EventReason.QUOTA_EXCEEDED,
    Reason.ADMISSION_REFUSED: EventReason.ADMISSION_REFUSED,
    Reason.ADMISSION_UNAVAILABLE: EventReason.ADMISSION_REFUSED,
    Reason.WRITES_REVERTED: EventReason.WRITES_REVERTED,
    Reason.KUBERNETES_DENIED: EventReason.KUBERNETES_DENIED,
}


def event_reason(failure: Failure) -> EventReason | None:
    """Return the reason of the Event for a failure; None if the failure does not concern the namespace."""
    fallback = EventReason.TOKEN_FETCH_FAILED if failure.reason in TOKEN_REASONS else None
    return _BY_FAILURE.get(failure.reason, fallback)


def kind(failure: Failure) -> str:
    """Return the kind of problem that a failure belongs to: AWS's errors vary while one problem lasts."""
    if failure.reason in TOKEN_REASONS:
        return "token"
    return "owner" if failure.reason in OWNER_REASONS else failure.reason.value
