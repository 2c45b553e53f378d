"""The little of OpenAPI that decoding and field ownership need: which fields there are and how they merge."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testsupport.fake_kube.objects import rfc3339, rfc3339_micro


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that has one owner: a scalar, or an atomic list or object of any content."""

    type: str = "any"


@dataclass(frozen=True, slots=True)
class Map:
    """A map whose entries are owned one by one (labels, data)."""

    value: Leaf


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with known fields; a pointer in Go counts as a field of its own once it is there."""

    fields: Mapping[str, "Node"]
    pointer: bool = False


@dataclass(frozen=True, slots=True)
class SetList:
    """A list of unique scalars, owned one by one (finalizers)."""


@dataclass(frozen=True, slots=True)
class KeyedList:
    """A list of objects that some fields identify, owned one by one."""

    keys: tuple[str, ...]
    item: Leaf = field(default=Leaf("object"))


Node = Leaf | Map | Struct | SetList | KeyedList

GO_TYPES = {
    "string": "string",
    "string pointer": "string",
    "int": "int32",
    "bool": "bool",
    "bytes": "[]uint8",
    "managed fields": "[]v1.ManagedFieldsEntry",
    "list": "[]interface {}",
    "object": "map[string]interface {}",
}
PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "string pointer": str,
    "int": int,
    "bool": bool,
    "bytes": str,
    "managed fields": list,
    "list": list,
    "object": dict,
    "time": str,
    "micro": str,
}
FORMATS = {"time": "2006-01-02T15:04:05Z07:00", "micro": "2006-01-02T15:04:05.000000Z07:00"}
MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


class DecodeError(ValueError):
    """A value that Go's decoder would not take; the text is (nearly) Go's own."""


class Decoder:
    """Turns JSON into what the typed object would hold, and collects the fields it does not know."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.unknown: list[str] = []

    def struct(self, node: Struct, value: Any, path: str = "") -> dict[str, Any]:
        """Decode an object field by field; unknown fields, nulls and empty values fall away."""
        self._expect(dict, value, path, "struct")
        decoded = {name: self._field(node, name, child, path) for name, child in value.items() if child is not None}
        kept = (name for name in node.fields if name in decoded)
        return {name: decoded[name] for name in kept if not is_omitted(node.fields[name], decoded[name])}

    def _field(self, node: Struct, name: str, value: Any, path: str) -> Any:
        if name in node.fields:
            return self.node(node.fields[name], value, f"{path}.{name}")
        self.unknown.append(f"{path}.{name}".lstrip("."))
        return None

    def node(self, node: Node, value: Any, path: str) -> Any:
        """Decode any value by its schema."""
        match node:
            case Struct():
                decoded = self.struct(node, value, path)
                return decoded or ({} if not node.pointer else decoded)
            case Map(value=leaf):
                self._expect(dict, value, path, f"map[string]{GO_TYPES[leaf.type]}")
                return {key: self.map_value(leaf, item, path) for key, item in value.items()}
            case SetList():
                return self._list(value, path, str, "string")
            case KeyedList():
                return self._list(value, path, dict, "struct")
            case Leaf():
                return self.leaf(node, value, path)

    def _list(self, value: Any, path: str, kind: type, go_type: str) -> list[Any]:
        self._expect(list, value, path, f"[]{go_type}")
        for item in value:
            self._expect(kind, item, path, go_type)
        return list(value)

    def map_value(self, node: Leaf, value: Any, path: str) -> Any:
        """Decode a map's entry, where null is the empty string and not absence."""
        return "" if value is None else self.leaf(node, value, path)

    def leaf(self, node: Leaf, value: Any, path: str) -> Any:
        """Decode a scalar or an opaque value."""
        expected = PYTHON_TYPES.get(node.type)
        if expected is None:
            return value
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise self._mismatch(value, path, GO_TYPES.get(node.type, "time"))
        if node.type == "managed fields":
            return self._list(value, path, dict, "v1.ManagedFieldsEntry")
        return CONVERSIONS[node.type](value) if node.type in CONVERSIONS else value

    def _expect(self, kind: type, value: Any, path: str, go_type: str) -> None:
        if not isinstance(value, kind):
            raise self._mismatch(value, path, go_type)

    def _mismatch(self, value: Any, path: str, go_type: str) -> DecodeError:
        owner = "ObjectMeta" if path.startswith(".metadata.") else self.kind
        return DecodeError(
            f"json: cannot unmarshal {json_type(value)} into Go struct field {owner}{path} of type {go_type}"
        )


def is_omitted(node: Node, value: Any) -> bool:
    """Tell whether a value is left out when it is written (Go's omitempty).

    Pointers never are; an empty list of managers has a meaning until ownership is worked out.
    """
    return value in ("", [], {}) and node not in (Leaf("string pointer"), Leaf("managed fields"))


def json_type(value: Any) -> str:
    """Name a JSON value's type as Go's decoder does."""
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def check_base64(value: str) -> str:
    """Let only standard base64 with padding pass."""
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        bad = re.search(r"[^A-Za-z0-9+/]", value)
        raise DecodeError(f"illegal base64 data at input byte {bad.start() if bad else len(value)}") from None
    return value


def parse_time(value: str, kind: str) -> datetime:
    """Read a metav1.Time or MicroTime as strictly as Go does."""
    try:
        # A MicroTime without its six digits is given to the parser as what it cannot read.
        return datetime.fromisoformat(value if kind == "time" or MICRO.fullmatch(value) else "").astimezone(UTC)
    except ValueError:
        rest = '"Z" as ".000000"' if re.fullmatch(r"[\dT:-]+Z", value) else f'"{value}" as "2006"'
        raise DecodeError(f'parsing time "{value}" as "{FORMATS[kind]}": cannot parse {rest}') from None


APPLY_TYPES = {"string": "string", "string pointer": "string", "bytes": "string", "bool": "boolean", "int": "numeric"}


def misfits(node: Node, value: Any, path: str = "") -> Iterator[str]:
    """Find what an apply configuration would be refused for: unknown fields, values of a wrong type."""
    match node, value:
        case Struct(fields=fields), dict():
            for name, child in value.items():
                if name not in fields:
                    yield f"{path}.{name}: field not declared in schema"
                else:
                    yield from misfits(fields[name], child, f"{path}.{name}")
        case Map(value=leaf), dict():
            for name, child in value.items():
                yield from misfits(leaf, child, f"{path}.{name}")
        case SetList(), list():
            for child in value:
                yield from misfits(Leaf("string"), child, f"{path}[={child}]")
        case KeyedList(item=item), list():
            for index, child in enumerate(value):
                yield from misfits(item, child, f"{path}[{index}]")
        case _:
            yield from _wrong_type(node, value, path)


def _wrong_type(node: Node, value: Any, path: str) -> Iterator[str]:
    expected: type | tuple[type, ...] | None = list if isinstance(node, SetList | KeyedList) else dict
    name = "list" if isinstance(node, SetList | KeyedList) else "map"
    if isinstance(node, Leaf):
        expected, name = PYTHON_TYPES.get(node.type), APPLY_TYPES.get(node.type, "map")
    if expected is not None and value is not None and not isinstance(value, expected):
        yield f"{path}: expected {name}, got &value.valueUnstructured{{Value:{value}}}"


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "bytes": check_base64,
    "time": lambda value: rfc3339(parse_time(value, "time")),
    "micro": lambda value: rfc3339_micro(parse_time(value, "micro")),
}
