"""Sets of field paths as `managedFields` keeps them (structured-merge-diff's fieldsV1)."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.schema import KeyedList, Leaf, Map, Node, SetList, Struct

Path = tuple[str, ...]
FieldSet = frozenset[Path]

CONTAINER = object()
"""The value of a path that is a map or list itself: present or absent, never modified."""

UNTRACKED = {
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
}
"""Fields that the server keeps and nobody owns."""


def flatten(schema: Struct, obj: Object) -> dict[Path, Any]:
    """Give every path of an object that can be owned, with its value."""
    return {path: value for path, value in _walk(schema, obj, ()) if path not in UNTRACKED}


def _walk(node: Node, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, Leaf):
        yield path, value
        return
    if not isinstance(node, Struct) or node.pointer:
        yield path, CONTAINER
    match node:
        case Struct(fields=fields):
            for name in fields.keys() & value.keys():
                yield from _walk_present(fields[name], value[name], (*path, f"f:{name}"))
        case Map():
            yield from (((*path, f"f:{name}"), child) for name, child in value.items())
        case SetList():
            yield from (((*path, value_key(child)), child) for child in value)
        case KeyedList(keys=keys):
            yield from (((*path, list_key(keys, child)), child) for child in value)


def _walk_present(node: Node, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Treat a null as a value of its own: an apply may carry one."""
    if value is None:
        yield path, None
    else:
        yield from _walk(node, value, path)


def list_key(keys: tuple[str, ...], item: Object) -> str:
    """Apply the path element of a keyed list's item."""
    return "k:" + json.dumps({key: item.get(key, "") for key in keys}, separators=(",", ":"))


def value_key(item: Any) -> str:
    """Apply the path element of a set's item."""
    return f"v:{json.dumps(item)}"


def applied_set(schema: Struct, patch: Object) -> FieldSet:
    """Give what an apply configuration claims: its leaves, and the maps that it leaves empty."""
    flat = flatten(schema, patch)
    parents = {path[:-1] for path in flat}
    return frozenset(path for path, value in flat.items() if value is not CONTAINER or path not in parents)


def encode(fields: Iterable[Path]) -> Object:
    """Apply a set as fieldsV1."""
    tree: Object = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return {element: _prune_dots(child) for element, child in tree.items()}


def _prune_dots(node: Object) -> Object:
    """Keep the dot only where a member also has children."""
    if set(node) == {"."}:
        return {}
    return {element: {} if element == "." else _prune_dots(child) for element, child in node.items()}


def decode(fields: Object) -> FieldSet:
    """Read a set from fieldsV1."""
    return frozenset(_members(fields, ()))


def _members(node: Object, path: Path) -> Iterator[Path]:
    if path and (not node or "." in node):
        yield path
    for element, child in node.items():
        if element != ".":
            yield from _members(child, (*path, element))


def show(path: Path) -> str:
    """Apply a path as conflict messages do: `.data.key`, `.metadata.finalizers["x"]`."""
    return "".join(_show_element(element) for element in path)


def _show_element(element: str) -> str:
    kind, _, rest = element.partition(":")
    match kind:
        case "f":
            return f".{rest}"
        case "v":
            return f"[={rest}]"
        case _:
            pairs = (f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items())
            return f"[{','.join(pairs)}]"
