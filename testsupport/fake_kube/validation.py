"""What the server refuses with 422: checks of metadata and of each kind."""

import re
from collections.abc import Iterator

from testsupport.fake_kube import kind_validation, names
from testsupport.fake_kube.objects import Object, metadata
from testsupport.fake_kube.resources import RBAC_GROUP, Resource
from testsupport.fake_kube.status import (
    FieldError,
    forbidden_field,
    invalid,
    invalid_once_per_check,
    invalid_value,
    quoted,
    required,
)

TOTAL_ANNOTATION_BYTES = 256 * 1024


def check_create(resource: Resource, obj: Object) -> None:
    """Raise 422 for an object that may not come into being."""
    _raise(resource, obj, [*_metadata(resource, obj), *kind_validation.check(resource, obj)])


def check_update(resource: Resource, obj: Object, live: Object) -> None:
    """Raise 422 for a change that may not be."""
    _check_fixed_metadata(resource, obj, live)
    errors = [*_metadata(resource, obj), *kind_validation.check_change(resource, obj, live)]
    _raise(resource, obj, errors)


def _raise(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    if errors:
        raise invalid(resource.group if resource.storage != "events" else "", resource.kind, _name(obj), errors)


def _name(obj: Object) -> str:
    return str(metadata(obj).get("name", ""))


def _check_fixed_metadata(resource: Resource, obj: Object, live: Object) -> None:
    """Refuse another uid, and new finalizers on what is being deleted; the real server says so twice."""
    meta, old = metadata(obj), metadata(live)
    error = None
    if meta.get("uid", old["uid"]) != old["uid"]:
        error = invalid_value("metadata.uid", quoted(meta["uid"]), "field is immutable")
    elif meta.get("deletionTimestamp", old.get("deletionTimestamp")) != old.get("deletionTimestamp"):
        error = invalid_value("metadata.deletionTimestamp", quoted(meta["deletionTimestamp"]), "field is immutable")
    elif "deletionTimestamp" in old:
        added = sorted(set(meta.get("finalizers", ())) - set(old.get("finalizers", ())))
        if added:
            found = "[]string{" + ", ".join(quoted(name) for name in added) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {found}"
            error = forbidden_field("metadata.finalizers", why)
    if error:
        raise invalid_once_per_check(resource.group, resource.kind, _name(obj), error)


def _metadata(resource: Resource, obj: Object) -> Iterator[FieldError]:
    meta = metadata(obj)
    if not meta.get("name"):
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _object_name(resource, meta["name"])
    for name, value in (meta.get("labels") or {}).items():
        if not name:
            yield invalid_value("metadata.labels", '""', "name part must be non-empty")
        yield from _label_key(name)
        if not re.fullmatch(f"({names.QUALIFIED})?", value):
            yield invalid_value("metadata.labels", quoted(value), names.NOT_A_LABEL_VALUE)
        elif len(value) > 63:
            yield invalid_value("metadata.labels", quoted(value), "must be no more than 63 bytes")
    yield from _annotations(meta.get("annotations") or {})


def _object_name(resource: Resource, name: str) -> Iterator[FieldError]:
    if resource.group == RBAC_GROUP:
        if "/" in name or "%" in name or name in (".", ".."):
            yield invalid_value("metadata.name", quoted(name), "may not contain '/'")
    elif resource.kind == "Namespace":
        if "." in name:
            yield invalid_value("metadata.name", quoted(name), "must not contain dots")
        elif not re.fullmatch(names.LABEL, name):
            yield invalid_value("metadata.name", quoted(name), names.NOT_A_LABEL)
        elif len(name) > 63:
            yield invalid_value("metadata.name", quoted(name), "must be no more than 63 bytes")
    elif not re.fullmatch(names.SUBDOMAIN, name):
        yield invalid_value("metadata.name", quoted(name), names.NOT_A_SUBDOMAIN)
    elif len(name) > 253:
        yield invalid_value("metadata.name", quoted(name), "must be no more than 253 bytes")


def _label_key(name: str) -> Iterator[FieldError]:
    if not names.is_qualified(name):
        yield invalid_value(
            "metadata.labels", quoted(name), names.NOT_A_KEY if name.count("/") > 1 else names.NAME_PART
        )


def _annotations(annotations: dict[str, str]) -> Iterator[FieldError]:
    for name in annotations:
        if not names.is_qualified(name.lower()):
            yield invalid_value("metadata.annotations", quoted(name), names.NAME_PART)
    if sum(len(name) + len(value) for name, value in annotations.items()) > TOTAL_ANNOTATION_BYTES:
        message = f"Too long: may not be more than {TOTAL_ANNOTATION_BYTES} bytes"
        yield FieldError("FieldValueTooLong", "metadata.annotations", message)
