"""A pull Secret, or one of another shape, as last observed, from its metadata alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from pullkeeper.domain.ecr.rotation import is_plausible
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.pull_secret import LABELS, MANAGED_BY, MANAGER, WRITTEN_BY
from pullkeeper.domain.secret.repairs import last_writer
from pullkeeper.domain.secret.secret_record import CLASS, SecretRecord, Target, read_class, read_record, read_target
from pullkeeper.domain.secret.shapes import PULL_SECRET, SecretShape

_MAX_INSTALLATION = 63 + 1 + 253
"""Length of the name of a Lease with its namespace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedSecret:
    """A Secret of a name that Pullkeeper writes, managed by it or not."""

    namespace: str
    uid: str
    resource_version: int
    managed: bool
    """It has our label: this alone makes it ours."""
    written: bool = True
    """We have applied it: managedFields say so, or, where a restore from a backup has lost them, its record.

    A Secret that was only handed over by its label is never deleted.
    """
    intact: bool = True
    """Every field that we apply still belongs to our field manager: nobody else has changed one."""
    record: SecretRecord | None = None
    """What it holds; None if it is not ours or its annotations cannot be parsed."""
    target: Target | None = None
    """What it is for, which may be readable even without a record."""
    installation_class: str | None = field(default=None, compare=False)
    """The class of the installation that keeps it, as it says; None if it is not ours."""
    writer: str = field(default="", compare=False)
    """Who last changed what we apply, see `last_writer`; a hint, escaped and of limited length."""
    written_by: str = field(default="", compare=False)
    """The installation that last applied it, as the Secret says: a hint, escaped and of limited length."""
    written_at: str = field(default="", compare=False)
    """When that was, in UTC and comparable as text; "" where managedFields do not tell."""
    name: str = field(default="", compare=False)
    """The name of a Secret that is not the pull Secret; "" for the pull Secret."""

    @property
    def opted_in_by(self) -> OptIn | None:
        """What opted the namespace in, as far as the Secret says."""
        return self.record.opted_in_by if self.record else None

    def as_of(self, now: datetime) -> "ObservedSecret":
        """Return it without a record whose times cannot be true now: such a Secret is repaired, whoever wrote it."""
        record = self.record
        if record is None or all(is_plausible(validity, now=now) for validity in record.validities):
            return self
        return replace(self, record=None, intact=False)


def observe(metadata: Mapping[str, Any], shape: SecretShape = PULL_SECRET) -> ObservedSecret:
    """Parse the metadata of a Secret that should have this shape."""
    applied = _applied(metadata.get("managedFields") or ())
    fields = None if applied is None else applied.get("fieldsV1") or {}
    annotations = _without_class_of_others(metadata.get("annotations") or {}, fields or {})
    managed = (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
    record = read_record(annotations) if managed else None
    written_by = printable(str(annotations.get(WRITTEN_BY, "")), _MAX_INSTALLATION) if managed else ""
    return ObservedSecret(
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        managed=managed,
        written=fields is not None or record is not None,
        intact=record is not None and _has(annotations, shape) and _is_intact(fields or {}, record, shape),
        record=record,
        installation_class=read_class(annotations) if managed else None,
        writer=last_writer(metadata.get("managedFields") or (), partial(_touches_ours, shape), written_by),
        written_by=written_by,
        written_at=str((applied or {}).get("time") or ""),
        target=record.target if record else (read_target(annotations) if managed else None),
        name=shape.name,
    )


def _without_class_of_others(annotations: Mapping[str, str], ours: Mapping[str, Any]) -> Mapping[str, str]:
    """Leave out a class that we do not own: no write of the default class, which names none, would take it away."""
    if f"f:{CLASS}" in ((ours.get("f:metadata") or {}).get("f:annotations") or ()):
        return annotations
    return {key: value for key, value in annotations.items() if key != CLASS}


def _applied(managed_fields: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what server-side apply tracks as ours; None if we have never applied."""
    entries = (entry for entry in managed_fields if entry.get("manager") == MANAGER)
    return next((entry for entry in entries if entry.get("operation") == "Apply"), None)


def _has(annotations: Mapping[str, str], shape: SecretShape) -> bool:
    """Whether a Secret is laid out as it should be; the layout may have changed with the settings."""
    return all(annotations.get(key) == text for key, text in shape.annotations.items())


def _is_intact(ours: Mapping[str, Any], record: SecretRecord, shape: SecretShape) -> bool:
    """Whether every field that we apply still belongs to us.

    Server-side apply moves a field to the manager that changes it, so edits of the data are detected without reading
    the data, and after a restart as well.
    """
    metadata = ours.get("f:metadata") or {}
    return (
        _field_paths(shape.keys) <= set(ours.get("f:data") or ())
        and "f:type" in ours
        and _field_paths({*LABELS, *shape.labels}) <= set(metadata.get("f:labels") or ())
        and _field_paths({*record.keys, *shape.annotations}) <= set(metadata.get("f:annotations") or ())
    )


def _touches_ours(shape: SecretShape, fields: Mapping[str, Any]) -> bool:
    metadata = fields.get("f:metadata") or {}
    return (
        not _field_paths(shape.keys).isdisjoint(fields.get("f:data") or ())
        or not _field_paths({MANAGED_BY, *shape.labels}).isdisjoint(metadata.get("f:labels") or ())
        or any(key.startswith(f"f:{PREFIX}") for key in metadata.get("f:annotations") or ())
    )


def _field_paths(keys: Iterable[str]) -> set[str]:
    return {f"f:{key}" for key in keys}
