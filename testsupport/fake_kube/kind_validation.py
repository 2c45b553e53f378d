"""The 422 checks that belong to one kind."""

import base64
import json
import re
from collections.abc import Callable, Iterator

from testsupport.fake_kube import names
from testsupport.fake_kube.decoding import go_json_error
from testsupport.fake_kube.objects import Object, dig, metadata
from testsupport.fake_kube.resources import RBAC_GROUP, Resource
from testsupport.fake_kube.status import FieldError, forbidden_field, invalid_value, quoted, required, unsupported

Check = Callable[[Resource, Object], Iterator[FieldError]]
ChangeCheck = Callable[[Resource, Object, Object], Iterator[FieldError]]

DOCKER_CONFIG = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
MAX_SECRET_BYTES = 1024 * 1024
NOT_A_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
REDACTED = '"<secret contents redacted>"'
IMMUTABLE = "field is immutable when `immutable` is set"


def check(resource: Resource, obj: Object) -> Iterator[FieldError]:
    """Give the problems of a new object."""
    if resource.kind in CREATE:
        yield from CREATE[resource.kind](resource, obj)


def check_change(resource: Resource, obj: Object, live: Object) -> Iterator[FieldError]:
    """Give the problems of a changed object."""
    if resource.kind in CHANGE:
        yield from CHANGE[resource.kind](resource, obj, live)
    if resource.kind != "Event":
        yield from check(resource, obj)


def _secret(_resource: Resource, obj: Object) -> Iterator[FieldError]:
    data = obj.get("data", {})
    yield from _config_keys(data)
    if sum(len(base64.b64decode(value)) for value in data.values()) > MAX_SECRET_BYTES:
        message = f"Too long: may not be more than {MAX_SECRET_BYTES} bytes"
        yield FieldError("FieldValueTooLong", "data", message)
    key = DOCKER_CONFIG.get(obj["type"])
    if key:
        yield from _docker_config(key, data)


def _docker_config(key: str, data: dict[str, str]) -> Iterator[FieldError]:
    field = f"data[{key}]"
    if key not in data:
        yield required(field)
        return
    problem = _not_a_json_object(base64.b64decode(data[key]))
    if problem:
        yield invalid_value(field, REDACTED, problem)


def _not_a_json_object(raw: bytes) -> str:
    """Say in Go's words why this is no JSON object; empty if it is one (null passes, as in Go)."""
    try:
        value = json.loads(raw)
    except ValueError:
        return go_json_error(raw)
    names = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    if value is None or isinstance(value, dict):
        return ""
    return f"json: cannot unmarshal {names[type(value)]} into Go value of type map[string]interface {{}}"


def _config_keys(data: Object) -> Iterator[FieldError]:
    for key in data:
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            yield invalid_value(f"data[{key}]", quoted(key), NOT_A_CONFIG_KEY)


def _config_map(_resource: Resource, obj: Object) -> Iterator[FieldError]:
    data, binary = obj.get("data", {}), obj.get("binaryData", {})
    yield from _config_keys(data)
    yield from _config_keys(binary)
    for key in data.keys() & binary.keys():
        yield invalid_value(f"data[{key}]", quoted(key), "duplicate of key present in binaryData")


def _lease(_resource: Resource, obj: Object) -> Iterator[FieldError]:
    duration, transitions = dig(obj, "spec.leaseDurationSeconds"), dig(obj, "spec.leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid_value("spec.leaseDurationSeconds", str(duration), "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid_value("spec.leaseTransitions", str(transitions), "must be greater than or equal to 0")


def _rules(resource: Resource, obj: Object) -> Iterator[FieldError]:
    for index, rule in enumerate(obj.get("rules", ())):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{path}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if resource.namespaced:
                value = json.dumps(rule["nonResourceURLs"], separators=(",", ":"))
                why = "namespaced rules cannot apply to non-resource URLs"
                yield invalid_value(f"{path}.nonResourceURLs", value, why)
            continue
        if not rule.get("apiGroups"):
            yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{path}.resources", "resource rules must supply at least one resource")


def _binding(resource: Resource, obj: Object) -> Iterator[FieldError]:
    ref = obj.get("roleRef", {})
    kinds = ("ClusterRole",) if resource.kind == "ClusterRoleBinding" else ("Role", "ClusterRole")
    if ref.get("kind") not in kinds:
        allowed = ", ".join(quoted(kind) for kind in sorted(kinds))
        yield unsupported("roleRef.kind", quoted(ref.get("kind", "")), allowed)
    if not ref.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(obj.get("subjects", ())):
        if not subject.get("name"):
            yield required(f"subjects[{index}].name")
        if subject.get("kind") == "ServiceAccount" and not (subject.get("namespace") or resource.namespaced):
            yield required(f"subjects[{index}].namespace")


def _secret_change(_resource: Resource, obj: Object, live: Object) -> Iterator[FieldError]:
    if obj["type"] != live["type"]:
        yield invalid_value("type", quoted(obj["type"]), "field is immutable")
    yield from _immutable_content(obj, live, ("data",))


def _config_map_change(_resource: Resource, obj: Object, live: Object) -> Iterator[FieldError]:
    yield from _immutable_content(obj, live, ("data", "binaryData"))


def _immutable_content(obj: Object, live: Object, fields: tuple[str, ...]) -> Iterator[FieldError]:
    if live.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden_field("immutable", IMMUTABLE)
        for field in fields:
            if obj.get(field, {}) != live.get(field, {}):
                yield forbidden_field(field, IMMUTABLE)


def _binding_change(_resource: Resource, obj: Object, live: Object) -> Iterator[FieldError]:
    new, old = obj.get("roleRef", {}), live.get("roleRef", {})
    if new != old:
        shown = {"APIGroup": RBAC_GROUP, "Kind": new.get("kind", ""), "Name": new.get("name", "")}
        yield invalid_value("roleRef", json.dumps(shown, separators=(",", ":")), "cannot change roleRef")


def _event(resource: Resource, obj: Object) -> Iterator[FieldError]:
    """Check a new event in its stored form; the newer group asks for more."""
    namespace = dig(obj, "involvedObject.namespace") or ""
    own = metadata(obj).get("namespace", "")
    mismatch = namespace != own and not (namespace == "" and own == "default")
    if obj.get("eventTime"):
        # The newer style lets an event be about an object of another namespace.
        mismatch = namespace == "" and own not in ("default", "kube-system")
    if mismatch:
        yield invalid_value("involvedObject.namespace", quoted(namespace), "does not match event.namespace")
    if resource.group or obj.get("eventTime"):
        yield from _new_style_event(resource, obj)


def _new_style_event(resource: Resource, obj: Object) -> Iterator[FieldError]:
    if resource.group and not obj.get("eventTime"):
        yield required("eventTime")
    else:
        yield from _reporter(resource, obj.get("reportingComponent", ""))
        yield from (error for field in ("reportingInstance", "action", "reason") for error in _short(obj, field))
        if len(obj.get("message", "").encode()) > 1024:
            yield invalid_value("message", '""', "can have at most 1024 characters")
        yield from _series(obj)
    if resource.group and obj.get("type") not in ("Normal", "Warning"):
        yield invalid_value("type", '""', f"has invalid value: {obj.get('type', '')}")


def _reporter(resource: Resource, reporter: str) -> Iterator[FieldError]:
    field = "reportingController" if resource.group else "reportingComponent"
    if not reporter:
        yield required(field)
        yield invalid_value(field, '""', "name part must be non-empty")
    if not names.is_qualified(reporter):
        yield invalid_value(field, quoted(reporter), names.NAME_PART)


def _short(obj: Object, field: str) -> Iterator[FieldError]:
    if not obj.get(field):
        yield required(field)
    elif len(obj[field]) > 128:
        yield invalid_value(field, '""', "can have at most 128 characters")


def _series(obj: Object) -> Iterator[FieldError]:
    series = obj.get("series")
    if series is not None:
        if series.get("count", 0) < 2:
            yield invalid_value("series.count", '""', "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")


def _event_change(resource: Resource, obj: Object, live: Object) -> Iterator[FieldError]:
    """In events.k8s.io an event may change in its series only, in the core group in anything."""
    if not resource.group or not live.get("eventTime"):
        return
    for field in ("involvedObject", "reason", "message", "source", "type", "eventTime", "action", "related"):
        if obj.get(field) != live.get(field):
            yield invalid_value(field, quoted(obj.get(field, "")), "field is immutable")
    yield from _series(obj)


CREATE: dict[str, Check] = {
    "Secret": _secret,
    "ConfigMap": _config_map,
    "Lease": _lease,
    "Role": _rules,
    "ClusterRole": _rules,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "Event": _event,
}
CHANGE: dict[str, ChangeCheck] = {
    "Secret": _secret_change,
    "ConfigMap": _config_map_change,
    "RoleBinding": _binding_change,
    "ClusterRoleBinding": _binding_change,
    "Event": _event_change,
}
