"""Who owns which field: server-side apply and the tracking of every other write."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testsupport.fake_kube import fieldset
from testsupport.fake_kube.fieldset import FieldSet, Path
from testsupport.fake_kube.objects import Object, metadata, with_metadata
from testsupport.fake_kube.schema import KeyedList, Leaf, Map, Node, SetList, Struct
from testsupport.fake_kube.status import ApiError

BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Manager:
    """A writer as ownership tells writers apart."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def describe(self) -> str:
        """Name the manager in a conflict."""
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


@dataclass(frozen=True, slots=True)
class Owned:
    """What one manager owns, and since when."""

    fields: FieldSet
    time: str


Managed = dict[Manager, Owned]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a write changes, path by path."""

    taken: FieldSet
    removed: FieldSet


def decode(obj: Object) -> Managed:
    """Read the managers of an object."""
    return {
        Manager(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")): Owned(
            fieldset.decode(entry.get("fieldsV1", {})), entry.get("time", "")
        )
        for entry in metadata(obj).get("managedFields", ())
        if all(entry.get(field) for field in ("manager", "operation", "apiVersion"))
    }


def encode(managed: Managed) -> list[Object] | None:
    """Apply the managers in the server's order: applies first, then by time and name."""
    ordered = sorted(managed.items(), key=lambda item: (item[0].operation, item[1].time, item[0].name))
    return [_entry(manager, owned) for manager, owned in ordered] or None


def _entry(manager: Manager, owned: Owned) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fieldset.encode(owned.fields),
        "subresource": manager.subresource,
    }
    return {name: value for name, value in entry.items() if value != ""}


class Ownership:
    """Tracks the fields of one kind. `ignored` are prefixes that this endpoint resets anyway."""

    def __init__(self, schema: Struct, ignored: tuple[Path, ...] = ()) -> None:
        self._schema = schema
        self._ignored = ignored

    def update(self, live: Object, new: Object, manager: Manager, now: str) -> Object:
        """Record an ordinary write; objects that nobody tracks stay untracked unless they are new."""
        managed = self._sent_or_kept(live, new)
        if live and not managed:
            return with_metadata(new, managedFields=None)
        managed = _of_version(managed, manager)
        self._take(managed, manager, self._compare(live, new), now)
        return with_metadata(new, managedFields=encode(managed))

    def apply(self, live: Object, patch: Object, manager: Manager, now: str, *, force: bool) -> Object:
        """Merge an apply configuration into the live object, or raise the conflicts."""
        before = decode(live)
        managed = _of_version(before, manager)
        if live and not before:
            self._take(managed, replace(manager, name=BEFORE_FIRST_APPLY, operation="Update"), self._all(live), now)
        last = managed.get(manager)
        claimed = self._tracked(fieldset.applied_set(self._schema, patch))
        managed[manager] = Owned(claimed, last.time if last else "")
        dropped = (last.fields if last else frozenset()) - _owned_by_any(managed)
        merged = merge(self._schema, without(self._schema, live, dropped), patch)
        difference = self._compare(live, merged)
        conflicts = list(_conflicts(managed, manager, difference.taken))
        if conflicts and not force:
            raise conflict_error(conflicts)
        _release(managed, manager, difference)
        if difference.taken or difference.removed:  # the time is that of the last change to the object itself
            managed[manager] = Owned(claimed, now)
        return with_metadata(merged, managedFields=encode(_without_empty(managed)))

    def _sent_or_kept(self, live: Object, new: Object) -> Managed:
        """Take the managers that the writer sent; keep the live ones when it sent none."""
        sent = metadata(new).get("managedFields")
        if sent in ([{}], []):
            return {}
        return decode(new) if sent else decode(live)

    def _take(self, managed: Managed, manager: Manager, difference: Difference, now: str) -> None:
        _release(managed, manager, difference)
        before = managed.get(manager, Owned(frozenset(), now))
        fields = (before.fields - difference.removed) | difference.taken
        managed[manager] = Owned(fields, now if difference.taken else before.time)
        if not fields:
            del managed[manager]

    def _compare(self, live: Object, new: Object) -> Difference:
        before, after = fieldset.flatten(self._schema, live), fieldset.flatten(self._schema, new)
        taken = (path for path, value in after.items() if path not in before or before[path] != value)
        removed = (path for path in before if path not in after)
        return Difference(self._tracked(frozenset(taken)), frozenset(removed))

    def _all(self, obj: Object) -> Difference:
        return Difference(self._tracked(frozenset(fieldset.flatten(self._schema, obj))), frozenset())

    def _tracked(self, fields: FieldSet) -> FieldSet:
        return frozenset(path for path in fields if not any(path[: len(i)] == i for i in self._ignored))


def _of_version(managed: Managed, writer: Manager) -> Managed:
    """Drop what was written through another version of the API, as the server does for the two Event kinds."""
    return {manager: owned for manager, owned in managed.items() if manager.api_version == writer.api_version}


def _owned_by_any(managed: Managed) -> FieldSet:
    return frozenset().union(*(owned.fields for owned in managed.values()))


def _release(managed: Managed, manager: Manager, difference: Difference) -> None:
    """Take from the others what this write changed, and from everybody what is gone."""
    for other, owned in list(managed.items()):
        lost = difference.removed if other == manager else difference.removed | difference.taken
        if owned.fields & lost:
            managed[other] = replace(owned, fields=owned.fields - lost)
            if not managed[other].fields:
                del managed[other]


def _without_empty(managed: Managed) -> Managed:
    return {manager: owned for manager, owned in managed.items() if owned.fields}


def _conflicts(managed: Managed, manager: Manager, taken: FieldSet) -> Iterator[tuple[str, str]]:
    for other, owned in managed.items():
        if other != manager:
            for path in sorted(owned.fields & taken):
                yield other.describe(), fieldset.show(path)


def conflict_error(conflicts: list[tuple[str, str]]) -> ApiError:
    """Word the conflicts as the server does, grouped by manager."""
    fields: dict[str, list[str]] = {}
    for manager, path in conflicts:
        fields.setdefault(manager, []).append(path)
    if len(conflicts) == 1:
        text = f"1 conflict: conflict with {conflicts[0][0]}: {conflicts[0][1]}"
    else:
        groups = (f"conflicts with {who}:" + "".join(f"\n- {p}" for p in fields[who]) for who in sorted(fields))
        text = f"{len(conflicts)} conflicts: " + "\n".join(groups)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, path in conflicts
    ]
    return ApiError(409, "Conflict", f"Apply failed with {text}", details={"causes": causes})


def merge(node: Node, live: Any, patch: Any) -> Any:
    """Lay an apply configuration over a live value."""
    match node:
        case Struct(fields=fields) if isinstance(live, dict) and isinstance(patch, dict):
            merged = {name: merge(fields[name], live.get(name), child) for name, child in patch.items()}
            return live | merged
        case Map() if isinstance(live, dict) and isinstance(patch, dict):
            return live | patch
        case SetList() if isinstance(live, list) and isinstance(patch, list):
            return live + [item for item in patch if item not in live]
        case KeyedList(keys=keys) if isinstance(live, list) and isinstance(patch, list):
            items = {fieldset.list_key(keys, item): item for item in live}
            return list((items | {fieldset.list_key(keys, item): item for item in patch}).values())
    return patch


def without(node: Node, value: Any, dropped: FieldSet) -> Any:
    """Delete owned paths from a value; maps and lists that are left empty go too when it is decoded."""
    inner: dict[str, set[Path]] = {}
    for path in dropped:
        inner.setdefault(path[0], set()).add(path[1:])
    match node:
        case Struct(fields=fields) if isinstance(value, dict):
            return _without_fields(fields, value, inner)
        case Map() if isinstance(value, dict):
            return {name: child for name, child in value.items() if f"f:{name}" not in inner}
        case SetList() if isinstance(value, list):
            return [item for item in value if fieldset.value_key(item) not in inner]
        case KeyedList(keys=keys) if isinstance(value, list):
            return [item for item in value if fieldset.list_key(keys, item) not in inner]
    return value


def _without_fields(fields: Mapping[str, Node], value: Object, inner: dict[str, set[Path]]) -> Object:
    kept = {}
    for name, child in value.items():
        paths = inner.get(f"f:{name}", set())
        deeper = frozenset(path for path in paths if path)
        if deeper or not isinstance(fields[name], Leaf) or not paths:
            kept[name] = without(fields[name], child, deeper)
    return kept
