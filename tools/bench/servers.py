"""The API server and AWS as processes of their own, so that neither the controller nor the bench pays for them."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from testsupport.control_plane import plane
from testsupport.fake_aws import AwsFake
from testsupport.installation import Server

MEMORY, REAL = "memory", "real"
"""Kinds of API server: one in memory, for any machine with Python, and the real one."""

_PATIENCE = 30.0
"""Seconds for a server to start or to end."""
_TOKEN_LIFE = "12h"


@dataclass(kw_only=True, slots=True)
class KubeServer:
    """The API server, from the kubeconfig that it wrote."""

    url: str
    ca_file: str
    admin_token: str


@dataclass(frozen=True, slots=True)
class RemoteAws:
    """The AWS fake by its control API: those methods of AwsFake that an installation uses."""

    url: str

    def trust_issuer(self, issuer: str, jwks: Mapping[str, Any]) -> None:
        """Register an OIDC provider."""
        self._call("issuers", {"issuer": issuer, "jwks": jwks})

    def allow_role(self, arn: str, **options: object) -> None:
        """Create a role."""
        self._call("roles", {"arn": arn, **options})

    def set_life(self, seconds: int) -> None:
        """Let tokens live so long from now on."""
        self._call("lifetime", {"seconds": seconds})

    def environment(self, **query: str | None) -> dict[str, str]:
        """Give the variables for a process that is to use it."""
        given = {name: value for name, value in query.items() if value is not None}
        return dict(self._call(f"environment?{urlencode(given)}"))

    def calls(self) -> Mapping[str, int]:
        """Count the calls so far by their operation."""
        counts: dict[str, int] = self._call("state")["calls_by_operation"]
        return {operation.partition(":")[2]: count for operation, count in counts.items()}

    def as_fake(self) -> AwsFake:
        """Pass for the fake itself, where a type asks for it."""
        return cast("AwsFake", self)

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_fake/{path}", data=data)  # noqa: S310 -- http, see servers()
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 -- as above
            return json.load(answer)


@asynccontextmanager
async def servers(folder: Path, kind: str = MEMORY) -> AsyncIterator[tuple[Server, RemoteAws]]:
    """Run both for the length of the context: an API server of the kind MEMORY or REAL."""
    serving = _real_server() if kind == REAL else _memory_server(folder)
    async with serving as server, _process("testsupport.fake_aws", "--lifetime", _TOKEN_LIFE) as said:
        yield server, RemoteAws(next(word for word in said.split() if word.startswith("http://")))


@asynccontextmanager
async def _real_server() -> AsyncIterator[Server]:
    server = await asyncio.to_thread(plane.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def _memory_server(folder: Path) -> AsyncIterator[Server]:
    kubeconfig = folder / "kubeconfig"
    async with _process("testsupport.fake_kube", "--kubeconfig-out", str(kubeconfig)):
        yield _from_kubeconfig(kubeconfig)


@asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[str]:
    """Start a module and give the line by which it says that it serves."""
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), _PATIENCE)).decode()
        assert line, f"{module} has ended"
        yield line
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), _PATIENCE)


def _from_kubeconfig(path: Path) -> KubeServer:
    written = json.loads(path.read_text())
    cluster, user = written["clusters"][0]["cluster"], written["users"][0]["user"]
    return KubeServer(url=cluster["server"], ca_file=cluster["certificate-authority"], admin_token=user["token"])
