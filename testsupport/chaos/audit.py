"""The audit log with its bodies: each request on a Lease or a Secret, from its arrival to its answer.

The bodies hold tokens, so the log must not leave the control plane's own folder; what is taken from it has hashes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORDED: Mapping[str, str] = {"secrets": "", "leases": "coordination.k8s.io"}
"""Resources whose bodies are in the log, with their groups."""
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [
        # Also when a request arrives: one that a killed API server never answered may have been carried out.
        {
            "level": "RequestResponse",
            "resources": [{"group": group, "resources": [resource]} for resource, group in RECORDED.items()],
            "verbs": ["get", "create", "patch", "update", "delete"],
            "omitManagedFields": True,
        },
        {"level": "Metadata", "omitStages": ["RequestReceived"]},
    ],
}


def api_server_flags(folder: Path) -> list[str]:
    """Return the flags of an API server that records the bodies of requests on Leases and Secrets."""
    policy = folder / "audit-with-bodies.yaml"
    policy.write_text(json.dumps(_POLICY))  # JSON is YAML
    return [f"--audit-policy-file={policy}"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """One request on one object. Times are in microseconds since 1970."""

    id: str
    user: str
    replica: str
    """The pod's name in the User-Agent; empty for others."""
    verb: str
    resource: str
    namespace: str
    name: str
    call: int
    answered: int
    """0 where no answer is on record."""
    code: int
    expected: int
    """The resourceVersion that the request named as its precondition; 0 without one."""
    version: int
    """The resourceVersion in the answer; 0 without one."""
    content: str
    """A hash of what was written or read; empty where neither request nor answer tells."""
    holder: str
    """Who holds the Lease by the answer."""

    @property
    def writes(self) -> bool:
        """Whether it asked for a change."""
        return self.verb not in {"get", "list", "watch"}

    @property
    def accepted(self) -> bool:
        """Whether it is on record that it was carried out."""
        return 200 <= self.code < 300


def read(log: Path, *, offset: int = 0) -> list[Audited]:
    """Return the requests on single objects from this byte of the log on, in the order of their arrival."""
    found: dict[str, Audited] = {}
    for entry in _entries(log, offset):
        # Each is reduced at once: after an hour of chaos the log has gigabytes of bodies.
        if entry["stage"] != "RequestReceived" or entry["auditID"] not in found:
            found[entry["auditID"]] = _audited(entry)
    return sorted(found.values(), key=lambda request: request.call)


def _entries(log: Path, offset: int) -> Iterator[dict[str, Any]]:
    with log.open("rb") as file:
        file.seek(offset)
        for line in file:
            entry = _parsed(line)
            if (entry.get("objectRef") or {}).get("name"):
                yield entry


def _parsed(line: bytes) -> dict[str, Any]:
    """Parse a line; one that was cut when the API server was killed tells nothing."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def _audited(entry: Mapping[str, Any]) -> Audited:
    target = entry["objectRef"]
    sent, answer = entry.get("requestObject") or {}, entry.get("responseObject") or {}
    complete = entry["stage"] == "ResponseComplete"
    shown = answer if answer.get("kind") != "Status" else {}
    return Audited(
        id=entry["auditID"],
        user=entry["user"].get("username", ""),
        replica=_between(entry.get("userAgent", ""), "(", ")"),
        verb=entry["verb"],
        resource=target["resource"],
        namespace=target.get("namespace", ""),
        name=target["name"],
        call=microseconds(entry["requestReceivedTimestamp"]),
        answered=microseconds(entry["stageTimestamp"]) if complete else 0,
        code=entry["responseStatus"]["code"] if complete else 0,
        expected=_expected(sent),
        version=int(shown.get("metadata", {}).get("resourceVersion") or 0),
        content=_hash(shown) or _hash(sent),
        holder=shown.get("spec", {}).get("holderIdentity", "") if target["resource"] == "leases" else "",
    )


def _expected(sent: Mapping[str, Any]) -> int:
    named = sent.get("preconditions") or sent.get("metadata") or {}
    return int(named.get("resourceVersion") or 0)


def _hash(shown: Mapping[str, Any]) -> str:
    """Hash a pull Secret's data, or a whole Lease; a Lease in a request is but a part of one."""
    if shown.get("kind") == "Lease" and "uid" in shown["metadata"]:
        content = json.dumps(shown["spec"], sort_keys=True)
    else:
        content = (shown.get("data") or {}).get(".dockerconfigjson", "")
    return hashlib.sha256(content.encode()).hexdigest()[:16] if content else ""


def _between(text: str, opening: str, closing: str) -> str:
    return text.partition(opening)[2].partition(closing)[0]


def microseconds(moment: str | datetime) -> int:
    """Return a time, also one of a log, in microseconds since 1970."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (at - _EPOCH) // timedelta(microseconds=1)
