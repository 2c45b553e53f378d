"""The patch formats that are not apply: JSON Patch, merge patch, strategic merge patch."""

from typing import Any

import jsonpatch
import jsonpointer

from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.status import ApiError, bad_request

MERGE_KEYS = {"ownerReferences": "uid", "secrets": "name"}
"""Lists of objects that a strategic merge patch merges by key, where they occur in our kinds."""

PRIMITIVE_SETS = frozenset({"finalizers"})


def rejected() -> ApiError:
    """Refuse a JSON patch that does not fit (a failed `test` too), as curtly as the server."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, details={})


def json_patch(live: Object, operations: Any) -> Object:
    """Apply an RFC 6902 patch."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    try:
        patched: Object = live
        for operation in operations:
            patched = jsonpatch.apply_patch(patched, _lenient(patched, operation))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError):
        raise rejected() from None
    return patched


def _lenient(document: Object, operation: Object) -> list[Object]:
    """Take missing keys as the server's library does: `replace` adds one, `test` finds null there."""
    kind = operation.get("op")
    if kind not in ("replace", "test"):
        return [operation]
    parent, key = jsonpointer.JsonPointer(operation["path"]).to_last(document)
    if not isinstance(parent, dict) or key in parent:
        return [operation]
    if kind == "replace":
        return [{**operation, "op": "add"}]
    return [] if operation.get("value") is None else [operation]


def merge_patch(live: Any, patch: Any) -> Any:
    """Apply an RFC 7386 patch."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic_merge_patch(live: Any, patch: Any) -> Any:
    """Merge like a merge patch, but join the lists that Kubernetes joins and honour `$patch`."""
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            merged[field] = [item for item in merged.get(field, []) if item not in value]
        elif value is None:
            merged.pop(name, None)
        elif not name.startswith("$"):
            merged[name] = _strategic_field(name, merged.get(name), value)
    return merged


def _strategic_field(name: str, live: Any, value: Any) -> Any:
    if isinstance(value, list) and isinstance(live, list):
        if name in PRIMITIVE_SETS:
            return value + [item for item in live if item not in value]
        if name in MERGE_KEYS and all(isinstance(item, dict) for item in value):
            return _merge_by_key(MERGE_KEYS[name], live, value)
    return strategic_merge_patch(live, value)


def _merge_by_key(key: str, live: list[Any], patch: list[Any]) -> list[Any]:
    items = {item.get(key): item for item in live}
    for item in patch:
        if item.get("$patch") == "delete":
            items.pop(item.get(key), None)
        else:
            items[item.get(key)] = strategic_merge_patch(items.get(item.get(key)), item)
    return list(items.values())
