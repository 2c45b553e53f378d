"""What happens to an object between a request and the store: generated names, kept and reset parts."""

import secrets
from typing import Any

from testsupport.fake_kube import status
from testsupport.fake_kube.decoding import name_label
from testsupport.fake_kube.objects import Object, metadata, with_metadata
from testsupport.fake_kube.resources import Resource

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generation",
)


def prepared_for_create(resource: Resource, sent: Object) -> Object:
    """Generate the name if asked, clear what only the server sets, and fill in a Namespace."""
    obj = with_metadata(sent, **dict.fromkeys(SERVER_FIELDS), resourceVersion=None)
    meta = metadata(obj)
    if not meta.get("name") and meta.get("generateName"):
        suffix = "".join(secrets.choice(NAME_ALPHABET) for _ in range(5))
        obj = with_metadata(obj, name=meta["generateName"][:58] + suffix)
    if resource.kind == "Namespace":
        return name_label({**obj, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    if resource.kind == "Deployment":
        return with_metadata(obj, generation=1)
    return obj


def with_kept_metadata(sent: Object, live: Object) -> Object:
    """Carry over what only the server sets; a uid or time of deletion that was sent is for validation to compare."""
    old, meta = metadata(live), metadata(sent)
    kept: dict[str, Any] = {field: old.get(field) for field in SERVER_FIELDS}
    sent_ones = {field: meta[field] for field in ("uid", "deletionTimestamp") if meta.get(field)}
    return with_metadata(sent, **kept | sent_ones, resourceVersion=old["resourceVersion"])


def reset(resource: Resource, subresource: str, sent: Object, live: Object) -> Object:
    """Keep the parts that this endpoint cannot write: a subresource writes only its own."""
    if subresource:
        part = {"status": "status", "finalize": "spec"}[subresource]
        meta = {
            **metadata(live),
            "resourceVersion": metadata(sent).get("resourceVersion", metadata(live)["resourceVersion"]),
        }
        return {**live, "metadata": meta, part: sent.get(part, {})}
    if resource.kind == "Namespace":
        return {**sent, **{part: live[part] for part in ("spec", "status") if part in live}}
    return sent


def same_but_times(obj: Object, live: Object) -> bool:
    """Tell whether two objects differ in nothing, or only in the times of their managers."""
    return _timeless(obj) == _timeless(live)


def _timeless(obj: Object) -> Object:
    entries = metadata(obj).get("managedFields") or []
    timeless = [{name: value for name, value in entry.items() if name != "time"} for entry in entries]
    plain = with_metadata(obj, managedFields=sorted(timeless, key=str) or None)
    return {name: value for name, value in plain.items() if value not in ({}, [], None, "")}


def is_held(obj: Object) -> bool:
    """Tell whether finalizers keep a deleted object in being."""
    return bool(
        metadata(obj).get("finalizers") or (obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers"))
    )


def terminating(resource: Resource, namespace: str, name: str) -> status.ApiError:
    """Refuse new content in a namespace that is on its way out."""
    cause = status.FieldError(
        "NamespaceTerminating", "metadata.namespace", f"namespace {namespace} is being terminated"
    )
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return status.forbidden(resource.group, resource.plural, name, why, [cause.cause()])
