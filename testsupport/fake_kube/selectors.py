"""Label and field selectors: parsing and matching."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testsupport.fake_kube.objects import Object, dig, metadata
from testsupport.fake_kube.resources import Resource
from testsupport.fake_kube.status import bad_request

NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
VALUE = r"[-A-Za-z0-9_.]*"
EQUALITY = re.compile(rf"\s*({NAME})\s*(==|=|!=)\s*({VALUE})\s*")
IN_SET = re.compile(rf"\s*({NAME})\s+(in|notin)\s*\(([^()]*)\)\s*")
ORDER = re.compile(rf"\s*({NAME})\s*([<>])\s*(\d+)\s*")
EXISTS = re.compile(rf"\s*(!?)\s*({NAME})\s*")
FIELD = re.compile(r"([^=!]+)(==|=|!=)(.*)")

EVENT_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
FIELDS: dict[str, Mapping[str, str]] = {
    "secrets": {"type": "type"},
    "namespaces": {"status.phase": "status.phase", "name": "metadata.name"},
    "pods": {
        "spec.nodeName": "spec.nodeName",
        "spec.restartPolicy": "spec.restartPolicy",
        "spec.schedulerName": "spec.schedulerName",
        "spec.serviceAccountName": "spec.serviceAccountName",
        "status.phase": "status.phase",
        "status.podIP": "status.podIP",
    },
}
"""Selectable fields beside metadata.name and metadata.namespace, and where they are stored."""


def _event_fields(reference: str, reporter: str) -> dict[str, str]:
    fields = {f"{reference}.{field}": f"involvedObject.{field}" for field in EVENT_REFERENCE}
    return fields | {"reason": "reason", "type": "type", reporter: "reportingComponent"}


EVENT_FIELDS = {
    "": _event_fields("involvedObject", "reportingComponent") | {"source": "source.component"},
    "events.k8s.io": _event_fields("regarding", "reportingController"),
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a selector; an absent field has no value, which `!=` and `notin` accept."""

    key: str
    values: frozenset[str] | None
    negated: bool
    bound: int | None = None
    above: bool = False

    def admits(self, value: str | None) -> bool:
        """Tell whether a value, or absence, satisfies the term."""
        if self.bound is not None:
            number = int(value) if value and value.isdigit() else None
            return number is not None and (number > self.bound if self.above else number < self.bound)
        found = value is not None and (self.values is None or value in self.values)
        return found != self.negated


def parse_labels(text: str) -> list[Requirement]:
    """Read a label selector."""
    return [_label_term(term) for term in re.split(r",(?![^(]*\))", text) if text.strip()]


def _label_term(term: str) -> Requirement:
    if match := EQUALITY.fullmatch(term):
        return Requirement(match[1], frozenset({match[3]}), match[2] == "!=")
    if match := IN_SET.fullmatch(term):
        values = frozenset(value.strip() for value in match[3].split(","))
        return Requirement(match[1], values, match[2] == "notin")
    if match := ORDER.fullmatch(term):
        return Requirement(match[1], frozenset(), negated=False, bound=int(match[3]), above=match[2] == ">")
    if match := EXISTS.fullmatch(term):
        return Requirement(match[2], None, match[1] == "!")
    words = term.split()
    if len(words) == 2 and words[1] in ("in", "notin"):
        raise bad_request("unable to parse requirement: found '' expected: '('")
    if term.strip() == "!":
        raise bad_request("unable to parse requirement: found '', expected: identifier")
    found = words[1] if len(words) > 1 else term
    raise bad_request(f"unable to parse requirement: found '{found}', expected: in, notin, =, ==, !=, gt, lt")


def parse_fields(text: str) -> list[Requirement]:
    """Read a field selector."""
    return [_field_term(term) for term in text.split(",") if term]


def _field_term(term: str) -> Requirement:
    match = FIELD.fullmatch(term)
    if match is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    return Requirement(match[1], frozenset({match[3]}), match[2] == "!=")


def selected_name(text: str) -> str:
    """Find the one object name that a field selector requires, as authorization does; empty if none."""
    try:
        terms = parse_fields(text)
    except Exception:  # noqa: BLE001 -- a selector that cannot be read names nothing; listing will refuse it
        return ""
    return next((next(iter(t.values or ())) for t in terms if t.key == "metadata.name" and not t.negated), "")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or watch asked for: a namespace (or all), labels, fields."""

    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    read_field: Callable[[Object, str], str] = lambda _obj, _field: ""

    @property
    def name(self) -> str:
        """Give the single name that can match, if the selection is that narrow."""
        terms = (t for t in self.fields if t.key == "metadata.name" and not t.negated)
        return next((next(iter(term.values or ())) for term in terms), "")

    @property
    def filters(self) -> bool:
        """Tell whether anything but the namespace narrows the selection."""
        return bool(self.labels or self.fields)

    def matches(self, obj: Object) -> bool:
        """Tell whether a stored object is selected."""
        meta = metadata(obj)
        if self.namespace and meta.get("namespace") != self.namespace:
            return False
        if not all(term.admits(self.read_field(obj, term.key)) for term in self.fields):
            return False
        labels = meta.get("labels") or {}
        return all(term.admits(labels.get(term.key)) for term in self.labels)


def selection(resource: Resource, namespace: str, query: Mapping[str, str]) -> Selection:
    """Read the selectors of a request, and refuse field labels that the resource does not know."""
    table = EVENT_FIELDS[resource.group] if resource.storage == "events" else FIELDS.get(resource.storage, {})
    known = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace", **table}
    fields = tuple(parse_fields(query.get("fieldSelector", "")))
    for term in fields:
        if term.key not in known:
            raise bad_request(f"field label not supported: {term.key}")

    def read(obj: Object, field: str) -> str:
        return str(dig(obj, known[field]) or "")

    return Selection(namespace, tuple(parse_labels(query.get("labelSelector", ""))), fields, read)
