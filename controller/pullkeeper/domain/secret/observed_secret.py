"""The Secret of our name as it was last seen, by its metadata alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pullkeeper.domain.secret.pull_secret import (
    DATA_KEY,
    LABELS,
    MANAGED_BY,
    MANAGER,
    SecretRecord,
    Target,
    read_record,
    read_target,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedSecret:
    """A Secret of our name in some namespace, ours or not."""

    namespace: str
    uid: str
    resource_version: int
    managed: bool
    """It carries our label: this, and nothing else, makes it ours."""
    written: bool = True
    """We have applied to it. One that was handed over by its label is not ours to delete before that."""
    intact: bool = True
    """Every field that we write still belongs to our field manager, so nobody has changed one since."""
    record: SecretRecord | None = None
    """None where it is not ours or where its annotations cannot be read."""
    target: Target | None = None
    """What it is for, as far as that can still be read."""


def observe(metadata: Mapping[str, Any]) -> ObservedSecret:
    """Translate a Secret's metadata as the API server gives it."""
    annotations = metadata.get("annotations") or {}
    managed = (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
    published = read_record(annotations) if managed else None
    applied = _applied(metadata.get("managedFields") or ())
    return ObservedSecret(
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        managed=managed,
        written=applied is not None,
        intact=published is not None and _owned(applied or {}, published),
        record=published,
        target=published.target if published else (read_target(annotations) if managed else None),
    )


def _applied(managed_fields: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the fields that the API server's own bookkeeping counts as applied by us; None where it knows us not."""
    return next(
        (
            entry.get("fieldsV1") or {}
            for entry in managed_fields
            if entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        ),
        None,
    )


def _owned(ours: Mapping[str, Any], published: SecretRecord) -> bool:
    """Whether each field that we applied is still ours.

    Whoever changes a field takes it over from us there, so this sees an edit of the data without reading the data,
    and sees it after a restart as well.
    """
    metadata = ours.get("f:metadata") or {}
    return (
        f"f:{DATA_KEY}" in (ours.get("f:data") or {})
        and "f:type" in ours
        and _fields(LABELS) <= set(metadata.get("f:labels") or ())
        and _fields(published.keys) <= set(metadata.get("f:annotations") or ())
    )


def _fields(keys: Iterable[str]) -> set[str]:
    return {f"f:{key}" for key in keys}
