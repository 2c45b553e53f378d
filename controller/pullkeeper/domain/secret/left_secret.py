"""A pull Secret that is left in a namespace of another class, whose installation may have one of another name."""

from datetime import UTC, datetime

from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


def delete_left_at(namespace: ObservedNamespace, secret: ObservedSecret | None, installation: str) -> datetime | None:
    """Return from when an installation may delete what it has left in a namespace of another class; None if never.

    Not before the last of its tokens has expired: until then pods may need it, whether or not there is another Secret,
    of a name that nobody here may read. What another installation has written is that one's. Both are what the Secret
    says, which is its tenant's object, and could delete it as well.
    """
    if secret is None or not (secret.managed and secret.written) or secret.written_by != installation:
        return None
    if namespace.opted_out:
        return _AT_ONCE
    return max(validity.expires_at for validity in secret.record.validities) if secret.record else None
