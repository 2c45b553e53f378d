"""Several replicas of one installation that elect a leader by a Lease."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from testsupport.access import create_role, may, rule
from testsupport.controller_process import ControllerProcess
from testsupport.installation import ACCOUNT_NAME, Installation
from testsupport.request_log import Request, writes_of
from testsupport.rest import Watch
from testsupport.waiting import until

_LEASES = "/apis/coordination.k8s.io/v1"


@dataclass(kw_only=True)
class Replicas:
    """The replicas of one installation, by name."""

    installation: Installation
    settings: dict[str, Any]
    environment: Mapping[str, str] | None
    running: dict[str, ControllerProcess]

    async def start(self, name: str, *, ready: bool = True, **settings: Any) -> ControllerProcess:
        """Start another replica."""
        process = await self.installation.start(
            self.settings | settings, instance=self._instance(name), ready=ready, environment=self.environment
        )
        self.running[name] = process
        return process

    async def leader(self, *names: str) -> str:
        """Wait until one of these replicas, or any, leads by its own metrics, and return its name."""

        async def poll() -> str | None:
            for name in names or self.running:
                if await self.running[name].leads():
                    return name
            return None

        return await until(poll, "a leader")

    def freeze(self, name: str) -> None:
        """Suspend it by SIGSTOP."""
        os.kill(self.running[name].popen.pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Resume it by SIGCONT."""
        os.kill(self.running[name].popen.pid, signal.SIGCONT)

    async def lease(self) -> dict[str, Any]:
        """Return the Lease's spec."""
        path = f"{_LEASES}/namespaces/{self.installation.namespace}/leases/pullkeeper"
        return dict((await self.installation.api.get(path)).ok()["spec"])

    def writes_of(self, name: str, resource: str = "secrets") -> list[Request]:
        """Return what a replica wrote, as the API server recorded it."""
        return writes_of(self.installation.server, self._instance(name), resource)

    @asynccontextmanager
    async def lease_changes(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Record the spec of each version of the Lease from now on; the first one is the present one."""
        path = f"{_LEASES}/namespaces/{self.installation.namespace}/leases"
        specs: list[dict[str, Any]] = []

        async def follow(watch: Watch) -> None:
            while True:
                specs.append((await watch.next())["object"]["spec"])

        async with self.installation.api.watch(path) as watch:
            specs.append((await watch.next())["object"]["spec"])
            task = asyncio.create_task(follow(watch))
            try:
                yield specs
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _instance(self, name: str) -> str:
        """Return the pod's name, which no other test's replica has."""
        return f"{name}.{self.installation.namespace}"


@asynccontextmanager
async def replicas(
    installation: Installation, *, environment: Mapping[str, str] | None = None, **settings: Any
) -> AsyncIterator[Replicas]:
    """Grant the right to the Lease and yield the replicas; frozen ones are thawed at the end."""
    await _grant(installation)
    election = {"leaderElection": True, "leaseNamespace": installation.namespace}
    found = Replicas(installation=installation, settings=election | settings, environment=environment, running={})
    try:
        yield found
    finally:
        for name, process in found.running.items():
            if process.popen.poll() is None:
                found.thaw(name)


async def _grant(installation: Installation) -> None:
    api, namespace = installation.api, installation.namespace
    granted = rule("leases", "get", "create", "patch", name="pullkeeper", group="coordination.k8s.io")
    await create_role(api, "lease", [granted], account=ACCOUNT_NAME, account_namespace=namespace, namespace=namespace)
    last = {"verb": "patch", "group": "coordination.k8s.io", "resource": "leases", "name": "pullkeeper"}
    await until(lambda: may(installation.user, namespace=namespace, **last), "the right to the Lease")
