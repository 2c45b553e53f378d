"""The API server's own record of requests: which process sent what, and when it arrived."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from testsupport.control_plane.plane import ControlPlane

_WRITES = frozenset({"create", "patch", "update", "delete"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request that arrived at the API server."""

    at: datetime
    verb: str
    resource: str
    code: int


def writes_of(server: Any, instance: str, resource: str = "secrets") -> list[Request]:
    """Return what a process wrote, found by its pod's name in the User-Agent: in the audit log or the fake's memory."""
    found = _audited(server, instance) if isinstance(server, ControlPlane) else _remembered(server, instance)
    return [request for request in found if request.resource == resource and request.verb in _WRITES]


def since(requests: list[Request], moment: datetime) -> list[Request]:
    """Return those that arrived after a moment; client and server share the machine's clock."""
    return [request for request in requests if request.at > moment + timedelta(milliseconds=1)]


def _audited(plane: ControlPlane, name: str) -> list[Request]:
    found = []
    for line in plane.audit_log.read_text().splitlines():
        if f"({name})" not in line:
            continue
        entry = json.loads(line)
        target = entry.get("objectRef") or {}
        found.append(
            Request(
                at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
                verb=entry["verb"],
                resource=target.get("resource", ""),
                code=entry.get("responseStatus", {}).get("code", 0),
            )
        )
    return found


def _remembered(server: Any, name: str) -> list[Request]:
    return [
        Request(at=datetime.fromtimestamp(record.at, UTC), verb=record.verb, resource=record.resource, code=record.code)
        for record in list(server.requests)
        if f"({name})" in record.user_agent
    ]
