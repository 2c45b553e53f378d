"""Several replicas that agree by a Lease, and who of them wrote what by the API server's own record."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from testsupport.access import may
from testsupport.control_plane.plane import ControlPlane
from testsupport.controller_process import ControllerProcess
from testsupport.installation import ACCOUNT_NAME, Installation
from testsupport.waiting import until

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_LEASES = "/apis/coordination.k8s.io/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request that arrived at the API server."""

    at: datetime
    verb: str
    resource: str
    code: int


@dataclass(kw_only=True)
class Replicas:
    """Replicas of one installation, by their names."""

    installation: Installation
    settings: dict[str, Any]
    running: dict[str, ControllerProcess]

    async def start(self, name: str, *, ready: bool = True, **settings: Any) -> ControllerProcess:
        """Start one more."""
        process = await self.installation.start(self.settings | settings, instance=self._instance(name), ready=ready)
        self.running[name] = process
        return process

    async def leader(self, *names: str) -> str:
        """Wait until one of those named leads by its own metrics, and give its name."""

        async def look() -> str | None:
            for name in names or self.running:
                if await self.running[name].metric("pullkeeper_leader") == 1:
                    return name
            return None

        return await until(look, "a leader", patience=60)

    def freeze(self, name: str) -> None:
        """Stop it where it is."""
        os.kill(self.running[name].popen.pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        os.kill(self.running[name].popen.pid, signal.SIGCONT)

    async def lease(self) -> dict[str, Any]:
        """Read the Lease's spec."""
        path = f"{_LEASES}/namespaces/{self.installation.namespace}/leases/pullkeeper"
        return dict((await self.installation.api.get(path)).ok()["spec"])

    def writes_of(self, name: str, resource: str = "secrets") -> list[Request]:
        """Give what a replica wrote, as the API server has noted it: in its audit log, or in the fake's memory."""
        server: Any = self.installation.server
        instance = self._instance(name)
        found = _audited(server, instance) if isinstance(server, ControlPlane) else _remembered(server, instance)
        return [
            request
            for request in found
            if request.resource == resource and request.verb in {"create", "patch", "update", "delete"}
        ]

    def _instance(self, name: str) -> str:
        """Give the pod's name: no other test's replica has it."""
        return f"{name}.{self.installation.namespace}"


@asynccontextmanager
async def replicas(installation: Installation, **settings: Any) -> AsyncIterator[Replicas]:
    """Grant the right to the Lease, and give what starts replicas; frozen ones are thawed at the end."""
    await _grant(installation)
    election = {"leaderElection": True, "leaseNamespace": installation.namespace}
    found = Replicas(installation=installation, settings=election | settings, running={})
    try:
        yield found
    finally:
        for name, process in found.running.items():
            if process.popen.poll() is None:
                found.thaw(name)


async def _grant(installation: Installation) -> None:
    api, namespace = installation.api, installation.namespace
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["pullkeeper"],
        "verbs": ["get", "create", "patch"],
    }
    path = f"{_RBAC}/namespaces/{namespace}"
    (await api.post(f"{path}/roles", {"metadata": {"name": "lease"}, "rules": [rule]})).ok()
    binding = {
        "metadata": {"name": "lease"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lease"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT_NAME, "namespace": namespace}],
    }
    (await api.post(f"{path}/rolebindings", binding)).ok()
    last = {"verb": "patch", "group": "coordination.k8s.io", "resource": "leases", "name": "pullkeeper"}
    await until(lambda: may(installation.user, namespace=namespace, **last), "the right to the Lease")


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


def since(requests: list[Request], moment: datetime) -> list[Request]:
    """Give those that arrived after a moment; the clocks are the same machine's."""
    return [request for request in requests if request.at > moment + timedelta(milliseconds=1)]
