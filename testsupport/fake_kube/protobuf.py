"""Reading the protobuf that kubectl's typed commands send (create namespace, create secret, auth can-i …).

Form numbers are those of the `generated.proto` files of k8s.io/api and k8s.io/apimachinery. Answers are
always JSON, which every client that sends protobuf accepts too.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testsupport.fake_kube.objects import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
FIXED64, FIXED32 = 1, 5


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: `type` is string, bytes, int, bool, string map, bytes map, or a message's fields."""

    name: str
    type: "str | Message" = "string"
    repeated: bool = False


Message = dict[int, Field]

METADATA: Message = {
    1: Field("name"),
    2: Field("generateName"),
    3: Field("namespace"),
    5: Field("uid"),
    6: Field("resourceVersion"),
    11: Field("labels", "string map"),
    12: Field("annotations", "string map"),
    14: Field("finalizers", repeated=True),
}
NAMES: Message = {1: Field("name")}
OBJECT_REFERENCE: Message = {1: Field("kind"), 2: Field("namespace"), 3: Field("name"), 4: Field("uid")}
RULE: Message = {
    1: Field("verbs", repeated=True),
    2: Field("apiGroups", repeated=True),
    3: Field("resources", repeated=True),
    4: Field("resourceNames", repeated=True),
    5: Field("nonResourceURLs", repeated=True),
}
SUBJECT: Message = {1: Field("kind"), 2: Field("apiGroup"), 3: Field("name"), 4: Field("namespace")}
ROLE_REF: Message = {1: Field("apiGroup"), 2: Field("kind"), 3: Field("name")}
RESOURCE_ATTRIBUTES: Message = {
    1: Field("namespace"),
    2: Field("verb"),
    3: Field("group"),
    4: Field("version"),
    5: Field("resource"),
    6: Field("subresource"),
    7: Field("name"),
}
ACCESS_SPEC: Message = {
    1: Field("resourceAttributes", RESOURCE_ATTRIBUTES),
    2: Field("nonResourceAttributes", {1: Field("path"), 2: Field("verb")}),
}
BOUND: Message = {1: Field("kind"), 2: Field("apiVersion"), 3: Field("name"), 4: Field("uid")}
TOKEN_SPEC: Message = {
    1: Field("audiences", repeated=True),
    3: Field("boundObjectRef", BOUND),
    4: Field("expirationSeconds", "int"),
}


def _kind(**fields: tuple[int, Field]) -> Message:
    return {1: Field("metadata", METADATA), **dict(fields.values())}


ROLE = _kind(rules=(2, Field("rules", RULE, repeated=True)))
BINDING = _kind(subjects=(2, Field("subjects", SUBJECT, repeated=True)), ref=(3, Field("roleRef", ROLE_REF)))
KINDS: dict[str, Message] = {
    "Namespace": _kind(),
    "Secret": _kind(
        data=(2, Field("data", "bytes map")),
        type=(3, Field("type")),
        string_data=(4, Field("stringData", "string map")),
        immutable=(5, Field("immutable", "bool")),
    ),
    "ConfigMap": _kind(
        data=(2, Field("data", "string map")),
        binary=(3, Field("binaryData", "bytes map")),
        immutable=(4, Field("immutable", "bool")),
    ),
    "ServiceAccount": _kind(
        secrets=(2, Field("secrets", OBJECT_REFERENCE, repeated=True)),
        pull=(3, Field("imagePullSecrets", NAMES, repeated=True)),
        automount=(4, Field("automountServiceAccountToken", "bool")),
    ),
    "Role": ROLE,
    "ClusterRole": ROLE,
    "RoleBinding": BINDING,
    "ClusterRoleBinding": BINDING,
    "SelfSubjectAccessReview": _kind(spec=(2, Field("spec", ACCESS_SPEC))),
    "SelfSubjectRulesReview": _kind(spec=(2, Field("spec", {1: Field("namespace")}))),
    "SelfSubjectReview": _kind(),
    "TokenRequest": _kind(spec=(2, Field("spec", TOKEN_SPEC))),
    "DeleteOptions": {2: Field("preconditions", {1: Field("uid"), 2: Field("resourceVersion")})},
}
TYPE_META: Message = {1: Field("apiVersion"), 2: Field("kind")}
ENVELOPE: Message = {1: Field("typeMeta", TYPE_META), 2: Field("raw", "bytes")}


def read(raw: bytes) -> Object:
    """Read an object in its envelope; ValueError for what is none, or of a kind that is not known here."""
    if not raw.startswith(MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = _message(ENVELOPE, raw[len(MAGIC) :])
    head = envelope["typeMeta"]
    message = KINDS.get(head["kind"])
    if message is None:
        raise ValueError(f"this server reads no protobuf of kind {head['kind']}")
    return {**head, **_message(message, base64.b64decode(envelope.get("raw", "")))}


def _message(message: Message, raw: bytes) -> Object:
    decoded: Object = {}
    for number, value in _fields(raw):
        field = message.get(number)
        if field is None:
            continue
        if field.type in ("string map", "bytes map"):
            entry = _message({1: Field("key"), 2: Field("value", str(field.type).removesuffix(" map"))}, value)
            decoded.setdefault(field.name, {})[entry.get("key", "")] = entry.get("value", "")
        elif field.repeated:
            decoded.setdefault(field.name, []).append(_value(field, value))
        else:
            decoded[field.name] = _value(field, value)
    return decoded


def _value(field: Field, value: Any) -> Any:
    match field.type:
        case dict():
            return _message(field.type, value)
        case "bytes":
            return base64.b64encode(value).decode()
        case "bool":
            return bool(value)
        case "int":
            return value
    return value.decode()


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Go through a message's fields: number and undecoded value."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        match tag & 7:
            case 0:
                value, position = _varint(raw, position)
                yield tag >> 3, value
            case 2:
                length, position = _varint(raw, position)
                yield tag >> 3, raw[position : position + length]
                position += length
            case wire:
                position += {FIXED64: 8, FIXED32: 4}[wire]


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
