"""What the client accepts, and objects and lists written so."""

from collections.abc import Sequence
from dataclasses import dataclass

from testsupport.fake_kube import tables
from testsupport.fake_kube.listing import Page
from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.resources import Resource
from testsupport.fake_kube.status import ApiError
from testsupport.fake_kube.versions import Change, Version, dumps, type_prefix

AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
PARTIAL, PARTIAL_LIST, TABLE, PLAIN = "PartialObjectMetadata", "PartialObjectMetadataList", "Table", ""
FORMS = {PARTIAL, PARTIAL_LIST, TABLE}


def form_of(accept: str) -> str:
    """Choose the first form in an Accept header that can be given, or raise 406."""
    for clause in (accept or "*/*").split(","):
        media, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        wanted = parameters.get("as", PLAIN)
        if media not in ("application/json", "application/*", "*/*"):
            continue
        if not wanted:
            return PLAIN
        if wanted in FORMS and parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1":
            return wanted
    message = f"406: Not Acceptable\n\nAvailable representations: {AVAILABLE}"
    raise ApiError(406, "NotAcceptable", message, details={})


class WrongFormError(ApiError):
    """A list was asked for as an object, or the other way round."""


def refuse_form(form: str, kind: str, *, a_list: bool) -> WrongFormError:
    """Say what was asked for as what it is not."""
    shape = "a list" if a_list else "not a list"
    message = f"you requested {form}, but the requested object is {shape} (*core.{kind}{'List' if a_list else ''})"
    return WrongFormError(406, "NotAcceptable", message)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Writes one resource in the form that a client asked for."""

    resource: Resource
    form: str
    now: tables.Age

    def one(self, version: Version) -> bytes:
        """Apply a single object."""
        match self.form:
            case "PartialObjectMetadata":
                return version.partial()
            case "PartialObjectMetadataList":
                raise refuse_form(self.form, self.resource.kind, a_list=False)
            case "Table":
                meta = {"resourceVersion": version.object["metadata"].get("resourceVersion", "")}
                return dumps(tables.table(self.resource, [version], meta, self.now))
        return version.full(self.resource)

    def page(self, page: Page) -> bytes:
        """Apply a list."""
        match self.form:
            case "PartialObjectMetadata":
                raise refuse_form(self.form, self.resource.kind, a_list=True)
            case "Table":
                return dumps(tables.table(self.resource, page.versions, page.metadata(), self.now))
            case "PartialObjectMetadataList":
                items = [version.partial() for version in page.versions]
                return _list(PARTIAL_LIST, "meta.k8s.io/v1", page.metadata(), items)
        items = [version.item(self.resource) for version in page.versions]
        return _list(f"{self.resource.kind}List", self.resource.api_version, page.metadata(), items)

    def event(self, kind: str, version: Version) -> bytes:
        """Apply a line of a watch, or raise 406 where the form is one of lists only."""
        return b'{"type":"' + kind.encode() + b'","object":' + self.one(version) + b"}\n"

    def bookmark(self, resource_version: int, *, initial_events_end: bool = False) -> bytes:
        """Apply a bookmark."""
        meta: Object = {"resourceVersion": str(resource_version)}
        if initial_events_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        head = type_prefix(self.resource)
        if self.form == PARTIAL:
            head = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",'
        return b'{"type":"BOOKMARK","object":' + head + b'"metadata":' + dumps(meta) + b"}}\n"


def error_event(error: ApiError) -> bytes:
    """Apply the line of a watch that ends it."""
    return b'{"type":"ERROR","object":' + dumps(error.status()) + b"}\n"


def transition(change: Change, *, before: bool, after: bool) -> tuple[str, Version] | None:
    """Turn a change into what a watch with a selector sees of it; None where it sees nothing."""
    if change.type == "DELETED":
        return ("DELETED", change.version) if before else None
    if after:
        return ("MODIFIED" if before else "ADDED"), change.version
    if before and change.previous:
        meta = {**change.previous.object["metadata"], "resourceVersion": str(change.resource_version)}
        return "DELETED", Version({**change.previous.object, "metadata": meta})
    return None


def _list(kind: str, api_version: str, meta: Object, items: Sequence[bytes]) -> bytes:
    head = dumps({"kind": kind, "apiVersion": api_version, "metadata": meta})[:-1]
    return head + b',"items":[' + b",".join(items) + b"]}"
