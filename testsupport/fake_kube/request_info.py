"""What a request is about, read from its path as the API server reads it, and the record kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from testsupport.fake_kube.selectors import selected_name

METHODS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
NAMESPACE_SUBRESOURCES = {"status", "finalize"}
TRUE = {"true", "1", "True", "TRUE", "t", "T"}


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """One request: who wanted what, and what came of it. `code` is 0 until it is answered."""

    method: str
    path: str
    user: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    query: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
    user_agent: str = ""
    code: int = 0
    at: float = 0.0
    """When it arrived, in seconds of the wall clock."""
    seconds: float = 0.0

    @property
    def is_resource(self) -> bool:
        """Tell whether the request is for a resource and not for a bare path."""
        return bool(self.resource)


def read_request(method: str, path: str, query: Mapping[str, str]) -> RequestRecord:
    """Work out verb, resource and name."""
    record = RequestRecord(method=method, path=path, query=dict(query), verb=method.lower())
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        record.version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        record.group, record.version, rest = parts[1], parts[2], parts[3:]
    else:
        return record
    _read_resource(record, rest)
    return record


def _read_resource(record: RequestRecord, parts: list[str]) -> None:
    record.verb = METHODS.get(record.method, record.method.lower())
    legacy_watch = parts[0] == "watch" and len(parts) > 1
    if legacy_watch:
        record.verb, parts = "watch", parts[1:]
    if parts[0] == "namespaces" and len(parts) > 1:
        record.namespace = parts[1]
        if len(parts) > 2 and parts[2] not in NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    record.resource, record.name, record.subresource = (*parts[:3], "", "")[:3]
    if not record.name:
        _read_collection_verb(record)


def _read_collection_verb(record: RequestRecord) -> None:
    if record.verb == "get":
        record.verb = "watch" if record.query.get("watch") in TRUE else "list"
    elif record.verb == "delete":
        record.verb = "deletecollection"
    if record.verb in ("list", "watch", "deletecollection"):
        record.name = selected_name(record.query.get("fieldSelector", ""))
