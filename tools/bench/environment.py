"""One cluster with its namespaces and one AWS, on which the controller is started as often as is needed."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import aiohttp

from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE, Installation, install
from testsupport.rest import RestClient
from tools.bench.procfs import cpu_seconds, resident_mib
from tools.bench.secret_watcher import Sightings
from tools.bench.servers import RemoteAws, servers

_AT_ONCE = 16
_SETTINGS: Mapping[str, Any] = {
    "logLevel": "info",
    "refreshJitter": "0s",
    "roles": [{"role": f"arn:aws:iam::{ACCOUNT}:role/bench-*", "namespaces": ["bench-*"]}],
}

Annotations = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What has been counted up to a moment."""

    aws: Mapping[str, int]
    rotated: float
    reads: float
    applies: float
    writes: float


@dataclass(kw_only=True, slots=True)
class Scene:
    """What the measurements hold in their hands."""

    installation: Installation
    aws: RemoteAws
    wishes: Sequence[Annotations]
    """What the namespaces ask for, one kind after the other."""
    sightings: Sightings

    @property
    def process(self) -> ControllerProcess:
        """The controller that was started last."""
        return self.installation.processes[-1]

    async def start(self, **settings: object) -> None:
        """Start a controller and wait until it is ready."""
        await self.installation.start({**_SETTINGS, **settings})

    async def stop(self) -> None:
        """Stop the controller that was started last."""
        await self.process.stop()

    async def figures(self) -> Figures:
        """Take stock: AWS calls since the beginning, the rest since the controller was started."""
        metric, secrets = self.process.metric, {"resource": "secrets"}
        requests, writes = "pullkeeper_rest_client_requests_total", "pullkeeper_secret_writes_total"
        return Figures(
            aws=await asyncio.to_thread(self.aws.calls),
            rotated=await metric(writes, operation="rotate", result="success"),
            reads=await metric(requests, verb="get", **secrets),
            applies=await metric(requests, verb="patch", **secrets),
            writes=await metric(writes),
        )

    def cpu_seconds(self) -> float:
        """Give the processor time that the controller has used."""
        return cpu_seconds(self.process.popen.pid)

    def resident_mib(self) -> float:
        """Give the controller's resident memory."""
        return resident_mib(self.process.popen.pid)

    async def add_idle(self, count: int) -> list[str]:
        """Create namespaces that ask for nothing yet."""
        return await _in_parallel(self.installation, [{}] * count)

    async def opt_in(self, namespace: str, number: int) -> float:
        """Opt a namespace in; gives the seconds until its Secret was seen."""
        seen = self.sightings.first_secret(namespace)
        started = asyncio.get_running_loop().time()
        await self.installation.annotate(namespace, **self.wishes[number % len(self.wishes)])
        return await seen - started

    async def opt_out(self, namespaces: Sequence[str]) -> None:
        """Take opt-ins back, so that the next measurement finds what the last one found."""
        await asyncio.gather(*(self.installation.annotate(name, enabled="false") for name in namespaces))


@asynccontextmanager
async def scene(*, namespaces: int, identities: int, regions: Sequence[str]) -> AsyncIterator[Scene]:
    """Set everything up but the controller; without identities all fetch as the controller itself."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, aws = await stack.enter_async_context(servers(folder))
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=server.ca_file))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        api = RestClient(http=http, url=server.url, token=server.admin_token)
        installation = await install(server, api, aws.as_fake(), folder)
        stack.push_async_callback(_stop_all, installation)
        wishes = _wishes(_roles(aws, identities), regions)
        members = await _in_parallel(installation, list(islice(cycle(wishes), namespaces)))
        seen = await stack.enter_async_context(Sightings.open(api, installation.secret_name, members))
        yield Scene(installation=installation, aws=aws, wishes=wishes, sightings=seen)


def _roles(aws: RemoteAws, count: int) -> list[str]:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/bench-{number}" for number in range(count)]
    for role in roles:
        aws.allow_role(role, trusted_principals=ROLE)
    return roles


def _wishes(roles: Sequence[str], regions: Sequence[str]) -> list[Annotations]:
    """Pair every identity with every region: one token each."""
    asking = [{"role_arn": role} for role in roles] or [{}]
    hosts = [f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com" for region in regions]
    return [{"enabled": "true", "registries": host, **who} for who in asking for host in hosts]


async def _in_parallel(installation: Installation, wishes: Sequence[Annotations]) -> list[str]:
    free = asyncio.Semaphore(_AT_ONCE)

    async def create(wish: Annotations) -> str:
        async with free:
            return await installation.create_namespace("bench", **wish)

    return list(await asyncio.gather(*(create(wish) for wish in wishes)))


async def _stop_all(installation: Installation) -> None:
    for process in installation.processes:
        await process.stop()
