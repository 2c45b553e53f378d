"""Delete and deletecollection."""

from collections.abc import Mapping
from typing import Any

from testsupport.fake_kube import decoding, status
from testsupport.fake_kube.calls import Call
from testsupport.fake_kube.lifecycle import delete_or_mark, marked_for_deletion
from testsupport.fake_kube.objects import Object, metadata
from testsupport.fake_kube.schema import json_type
from testsupport.fake_kube.selectors import Selection
from testsupport.fake_kube.status import bad_request
from testsupport.fake_kube.store import Store
from testsupport.fake_kube.versions import Version

RETURNED = {"ServiceAccount", "Pod"}
"""Kinds of which a deletion answers with the object that is gone."""

PROTECTED = {"default", "kube-system", "kube-public"}


class Deleter:
    """Performs deletions on the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, call: Call) -> Version | Object:
        """Delete one object: a Status when it is gone, the object while finalizers keep it."""
        call.check_options("DeleteOptions")
        preconditions = _preconditions(call)
        live = self._store.version(call.resource.storage, call.key)
        if call.resource.kind == "Namespace" and call.key.name in PROTECTED:
            raise status.forbidden("", "namespaces", call.key.name, "this namespace may not be deleted")
        if live is None:
            raise call.not_found()
        self._check_preconditions(call, live, preconditions)
        if call.resource.kind == "Namespace":
            return self._terminate(call, live)
        if call.dry_run:
            return _success(call, live)
        delete_or_mark(self._store, call.resource.storage, live.object)
        left = self._store.version(call.resource.storage, call.key)
        return left or (live if call.resource.kind in RETURNED else _success(call, live))

    def delete_collection(self, call: Call, selection: Selection) -> list[Version]:
        """Delete what is selected, and give what was there."""
        found = [v for v in self._store.versions(call.resource.storage) if selection.matches(v.object)]
        if not call.dry_run:
            for version in found:
                delete_or_mark(self._store, call.resource.storage, version.object)
        return found

    def _terminate(self, call: Call, live: Version) -> Version:
        """Mark a namespace as terminating; the lifecycle does the rest."""
        if "deletionTimestamp" in metadata(live.object):
            return live
        marked = marked_for_deletion(self._store, live.object)
        marked["metadata"].pop("deletionGracePeriodSeconds")
        terminating = {**marked, "status": {"phase": "Terminating"}}
        return Version(terminating) if call.dry_run else self._store.write("namespaces", terminating)

    def _check_preconditions(self, call: Call, live: Version, wanted: Mapping[str, str]) -> None:
        meta = metadata(live.object)
        endings = {
            "uid": ("UID", "The object might have been deleted and then recreated"),
            "resourceVersion": ("ResourceVersion", "The object might have been modified"),
        }
        for field, (word, ending) in endings.items():
            value = wanted.get(field)
            if value is not None and value != meta[field]:
                why = (
                    f"the {word} in the precondition ({value}) does not match the {word} in record "
                    f"({meta[field]}). {ending}"
                )
                raise status.conflict(call.resource.group, call.resource.kind, call.key.name, why)


def _preconditions(call: Call) -> Mapping[str, str]:
    if not call.body.strip():
        return {}
    try:
        options = decoding.parse_body(call.body, call.media_type)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(options, dict | None):
        raise bad_request(f"couldn't get version/kind; json parse error: json: cannot unmarshal {json_type(options)}")
    preconditions: Mapping[str, Any] = (options or {}).get("preconditions") or {}
    for field, value in preconditions.items():
        if not isinstance(value, str):
            where = f"Preconditions.preconditions.{field} of type {'types.UID' if field == 'uid' else 'string'}"
            raise bad_request(f"json: cannot unmarshal {json_type(value)} into Go struct field {where}")
    return preconditions


def _success(call: Call, live: Version) -> Object:
    details: Object = {"name": call.key.name}
    if call.resource.group:
        details["group"] = call.resource.group
    details |= {"kind": call.resource.plural, "uid": metadata(live.object)["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
