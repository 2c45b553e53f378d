"""The pull Secret's name in the `imagePullSecrets` of ServiceAccounts: what is there, and the patch to what is wanted.

The list belongs to many, and only whole lists can be merged or applied: so the patch changes one entry of just the
version that was observed. What tells our entry from somebody else's of the same name is a mark on the ServiceAccount,
set and taken away in the same patch as the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pullkeeper.domain.namespace.namespace import PREFIX

MARK = f"{PREFIX}attached-secret"
"""Holds the name of the entry that is ours."""

_ANNOTATIONS = "/metadata/annotations"
_MARK_PATH = f"{_ANNOTATIONS}/{MARK.replace('/', '~1')}"
_ENTRIES = "/imagePullSecrets"

Operation = Mapping[str, Any]
"""One operation of a JSON Patch (RFC 6902)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedServiceAccount:
    """A ServiceAccount as it was last seen: what the patch must know, and nothing more."""

    namespace: str
    name: str
    uid: str
    resource_version: int
    entry: int | None = None
    """Where the first entry of the pull Secret's name stands."""
    mark: str | None = None
    """The Secret's name that we have put there: today's, or the one that the installation used before."""
    marked: int | None = None
    """Where the first entry of the name in the mark stands."""
    listed: bool = False
    """It has a list with something in it."""
    annotated: bool = False
    """It has annotations."""
    terminating: bool = False


class AttachmentOutcome(StrEnum):
    """What a patch does."""

    ATTACHED = "attached"
    RESTORED = "restored"
    """Somebody had taken our entry away."""
    RENAMED = "renamed"
    """The pull Secret has another name than when we attached."""
    DETACHED = "detached"
    FORGOTTEN = "forgotten"
    """Somebody had taken our entry away, and it is not wanted any more: the mark goes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccountPatch:
    """A patch, and what it does."""

    outcome: AttachmentOutcome
    operations: Sequence[Operation]


def observe_service_account(account: Mapping[str, Any], secret_name: str) -> ObservedServiceAccount:
    """Translate a ServiceAccount as the API server gives it."""
    metadata = account["metadata"]
    annotations = metadata.get("annotations") or {}
    names = [entry.get("name") for entry in account.get("imagePullSecrets") or ()]
    mark = annotations.get(MARK)
    return ObservedServiceAccount(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        entry=_first(names, secret_name),
        mark=mark,
        marked=_first(names, mark),
        listed=bool(names),
        annotated=bool(annotations),
        terminating=bool(metadata.get("deletionTimestamp")),
    )


def plan_patch(
    account: ObservedServiceAccount, secret_name: str, *, wanted: bool, exists: bool
) -> ServiceAccountPatch | None:
    """Give the change that brings a ServiceAccount to what is wanted; None where nothing is to be done.

    One that is wanted is left as it is while the pull Secret does not exist, and an entry without our mark always.
    """
    if account.terminating or (wanted and not exists):
        return None
    stays = wanted and account.mark == secret_name
    adds = wanted and account.entry is None
    leaving = None if stays else account.marked
    mark = secret_name if adds or stays else None
    if not adds and mark == account.mark:
        return None
    operations = (
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(account.resource_version)},
        *([] if leaving is None else [{"op": "remove", "path": f"{_ENTRIES}/{leaving}"}]),
        *([_added(account, secret_name)] if adds else []),
        *_marked(account, mark),
    )
    return ServiceAccountPatch(outcome=_outcome(account, secret_name, adds=adds), operations=operations)


def _first(names: Sequence[str | None], name: str | None) -> int | None:
    return names.index(name) if name is not None and name in names else None


def _added(account: ObservedServiceAccount, secret_name: str) -> Operation:
    entry = {"name": secret_name}
    if account.listed:
        return {"op": "add", "path": f"{_ENTRIES}/-", "value": entry}
    return {"op": "add", "path": _ENTRIES, "value": [entry]}


def _marked(account: ObservedServiceAccount, mark: str | None) -> list[Operation]:
    if mark == account.mark:
        return []
    if mark is None:
        return [{"op": "remove", "path": _MARK_PATH}]
    if account.annotated:
        return [{"op": "add", "path": _MARK_PATH, "value": mark}]
    return [{"op": "add", "path": _ANNOTATIONS, "value": {MARK: mark}}]


def _outcome(account: ObservedServiceAccount, secret_name: str, *, adds: bool) -> AttachmentOutcome:
    if not adds:
        return AttachmentOutcome.FORGOTTEN if account.marked is None else AttachmentOutcome.DETACHED
    if account.mark is None:
        return AttachmentOutcome.ATTACHED
    return AttachmentOutcome.RESTORED if account.mark == secret_name else AttachmentOutcome.RENAMED
