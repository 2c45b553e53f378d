"""The pull Secret's name in the `imagePullSecrets` of ServiceAccounts: what is observed, and the patch to change it.

`imagePullSecrets` is shared with others, and merge patches and server-side apply can only replace the whole list.
Therefore a JSON Patch changes a single entry of exactly the version that was observed. An annotation, the mark, tells
our entry from somebody else's of the same name; it is set and removed in the same patch as the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret.repairs import last_writer

MARK = f"{PREFIX}attached-secret"
"""The annotation that holds the name of our entry."""

_ANNOTATIONS = "/metadata/annotations"
_MARK_PATH = f"{_ANNOTATIONS}/{MARK.replace('/', '~1')}"
_ENTRIES = "/imagePullSecrets"

Operation = Mapping[str, Any]
"""One operation of a JSON Patch (RFC 6902)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedServiceAccount:
    """A ServiceAccount as last observed."""

    namespace: str
    name: str
    uid: str
    resource_version: int
    entry_index: int | None = None
    """Index of the first entry with the pull Secret's name."""
    mark: str | None = None
    """Name of the entry that we added: today's Secret name, or one that the installation used before."""
    marked_index: int | None = None
    """Index of the first entry with the name in the mark."""
    has_entries: bool = False
    """`imagePullSecrets` is not empty."""
    has_annotations: bool = False
    """The ServiceAccount has annotations."""
    terminating: bool = False
    principal: str = principal.UNKNOWN
    """Who is behind it at AWS."""
    writer: str = field(default="", compare=False)
    """The field manager that last changed `imagePullSecrets`; a hint."""


class AttachmentOutcome(StrEnum):
    """What a patch does."""

    ATTACHED = "attached"
    RESTORED = "restored"
    """Somebody else had removed our entry."""
    RENAMED = "renamed"
    """The pull Secret's name has changed since it was attached."""
    DETACHED = "detached"
    FORGOTTEN = "forgotten"
    """Somebody else had removed our entry, and it is no longer wanted: only the mark is removed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccountPatch:
    """A JSON Patch and what it does."""

    outcome: AttachmentOutcome
    operations: Sequence[Operation]


def observe_service_account(account: Mapping[str, Any], secret_name: str) -> ObservedServiceAccount:
    """Parse a ServiceAccount."""
    metadata = account["metadata"]
    annotations = metadata.get("annotations") or {}
    names = [entry.get("name") for entry in account.get("imagePullSecrets") or ()]
    mark = annotations.get(MARK)
    return ObservedServiceAccount(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        entry_index=_index(names, secret_name),
        mark=mark,
        marked_index=_index(names, mark),
        has_entries=bool(names),
        has_annotations=bool(annotations),
        terminating=bool(metadata.get("deletionTimestamp")),
        principal=_principal(annotations),
        writer=last_writer(metadata.get("managedFields") or (), lambda fields: "f:imagePullSecrets" in fields),
    )


def observe_role(metadata: Mapping[str, Any]) -> ObservedServiceAccount:
    """Parse who is behind a ServiceAccount from its metadata; nothing else of it is kept."""
    return ObservedServiceAccount(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        principal=_principal(metadata.get("annotations") or {}),
    )


def plan_patch(
    account: ObservedServiceAccount, secret_name: str, *, wanted: bool, exists: bool
) -> ServiceAccountPatch | None:
    """Return the patch that attaches or detaches the pull Secret; None if nothing is to be changed.

    A ServiceAccount is not attached while the pull Secret does not exist, and an entry without our mark is never
    removed.
    """
    if account.terminating or (wanted and not exists):
        return None
    keeps = wanted and account.mark == secret_name
    adds = wanted and account.entry_index is None
    mark = secret_name if adds or keeps else None
    if not adds and mark == account.mark:
        return None
    operations = (
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(account.resource_version)},
        *([] if account.marked_index is None else [{"op": "remove", "path": f"{_ENTRIES}/{account.marked_index}"}]),
        *([_add_entry(account, secret_name)] if adds else []),
        *_mark_operations(account, mark),
    )
    return ServiceAccountPatch(outcome=_outcome(account, secret_name, adds=adds), operations=operations)


def _principal(annotations: Mapping[str, str]) -> str:
    role = annotations.get(ROLE_ANNOTATION)
    return (role and principal.of_role(role)) or principal.NOBODY


def _index(names: Sequence[str | None], name: str | None) -> int | None:
    return names.index(name) if name is not None and name in names else None


def _add_entry(account: ObservedServiceAccount, secret_name: str) -> Operation:
    entry = {"name": secret_name}
    if account.has_entries:
        return {"op": "add", "path": f"{_ENTRIES}/-", "value": entry}
    return {"op": "add", "path": _ENTRIES, "value": [entry]}


def _mark_operations(account: ObservedServiceAccount, mark: str | None) -> list[Operation]:
    if mark == account.mark:
        return []
    if mark is None:
        return [{"op": "remove", "path": _MARK_PATH}]
    if account.has_annotations:
        return [{"op": "add", "path": _MARK_PATH, "value": mark}]
    return [{"op": "add", "path": _ANNOTATIONS, "value": {MARK: mark}}]


def _outcome(account: ObservedServiceAccount, secret_name: str, *, adds: bool) -> AttachmentOutcome:
    if not adds:
        return AttachmentOutcome.FORGOTTEN if account.marked_index is None else AttachmentOutcome.DETACHED
    if account.mark is None:
        return AttachmentOutcome.ATTACHED
    return AttachmentOutcome.RESTORED if account.mark == secret_name else AttachmentOutcome.RENAMED
