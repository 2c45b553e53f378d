"""One cluster with its namespaces and one AWS, on which the controller is started as often as needed."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from tools.bench.bare import PREFIX
from tools.bench.procfs import cpu_seconds, resident_mib
from tools.bench.secret_watcher import SecretWatcher
from tools.bench.servers import MEMORY, RemoteAws, servers

_AT_ONCE = 16
_QUIET = 1.0
_LONGEST = 90.0
"""Seconds until a Secret that must come counts as lost."""
_LOG_LINES = 5
"""Lines of a controller's log that are shown where a figure cannot be measured."""
_SETTINGS: Mapping[str, Any] = {
    "logLevel": "info",
    "refreshJitter": "0s",
    "roles": [{"role": f"arn:aws:iam::{ACCOUNT}:role/bench-*", "namespaces": ["bench-*"]}],
}

Annotations = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """The counts at one moment."""

    aws: Mapping[str, int]
    rotated: float
    reads: float
    applies: float
    writes: float


@dataclass(kw_only=True, slots=True)
class Environment:
    """What a measurement works with."""

    installation: Installation
    aws: RemoteAws
    opt_ins: Sequence[Annotations]
    """The annotations that opt a namespace in, for each identity and region."""
    watcher: SecretWatcher

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
        """Read the counts: AWS calls since the beginning, the rest since the controller was started."""
        metric, secrets = self.process.metric, {"resource": "secrets"}
        requests, writes = "pullkeeper_rest_client_requests_total", "pullkeeper_secret_writes_total"
        return Figures(
            aws=await asyncio.to_thread(self.aws.calls),
            rotated=await metric(writes, operation="rotate", result="success"),
            reads=await metric(requests, verb="get", **secrets),
            applies=await metric(requests, verb="patch", **secrets),
            writes=await metric(writes),
        )

    async def idle_requests(self) -> float:
        """Count the requests since its start that one at rest should not make: no watches, no renewals of its Lease."""
        metric, requests = self.process.metric, "pullkeeper_rest_client_requests_total"
        watches, renewals = await metric(requests, verb="watch"), await metric(requests, resource="leases")
        return await metric(requests) - watches - renewals

    def cpu_seconds(self) -> float:
        """Return the processor seconds that the controller has used."""
        return cpu_seconds(self.process.popen.pid)

    def resident_mib(self) -> float:
        """Return the controller's resident memory in MiB."""
        return resident_mib(self.process.popen.pid)

    async def add_idle(self, count: int) -> list[str]:
        """Create namespaces that are not opted in yet."""
        return await _in_parallel(self.installation, [{}] * count)

    async def opt_in(self, namespace: str, number: int, **annotations: str) -> float:
        """Opt a namespace in and return the seconds until its Secret is seen."""
        async with asyncio.timeout(_LONGEST):
            seen = self.watcher.first_secret(namespace)
            started = asyncio.get_running_loop().time()
            await self.installation.annotate(namespace, **self.opt_ins[number % len(self.opt_ins)], **annotations)
            return await seen - started

    async def opt_in_at_pace(
        self, namespaces: Sequence[str], pause: float, going: Callable[[], bool] = lambda: True
    ) -> list[float]:
        """Opt in one namespace after each pause, whoever still waits, as long as it goes on; return the waits."""
        waits: list[asyncio.Task[float]] = []
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate(namespaces):
                if not going():
                    break
                waits.append(group.create_task(self.opt_in(name, number)))
                await asyncio.sleep(pause)
        return [each.result() for each in waits]

    async def opt_out(self, namespaces: Sequence[str]) -> None:
        """Undo opt-ins, so that the next measurement starts from the same state; the controller deletes the Secrets."""
        await asyncio.gather(*(self.installation.annotate(name, enabled="false") for name in namespaces))

    async def reset(self, namespaces: Sequence[str]) -> None:
        """Undo opt-ins for good: without the role, and without the Secrets, which the controller deletes if it runs."""
        installation = self.installation
        await asyncio.gather(*(installation.annotate(name, enabled="false", role_arn=None) for name in namespaces))
        if self.process.popen.poll() is not None:
            await asyncio.gather(*(installation.api.delete(installation.path(name)) for name in namespaces))
        await self.watcher.all_deleted(namespaces)
        await asyncio.sleep(_QUIET)


@asynccontextmanager
async def open_environment(
    *, namespaces: int, identities: int, regions: Sequence[str], server_kind: str = MEMORY
) -> AsyncIterator[Environment]:
    """Set everything up but the controller; without identities all namespaces use the controller's own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, aws = await stack.enter_async_context(servers(folder, server_kind))
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=server.ca_file))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        api = RestClient(http=http, url=server.url, token=server.admin_token)
        installation = await install(server, api, aws.as_fake(), folder)
        stack.push_async_callback(_stop_all, installation)
        opt_ins = _opt_ins(_roles(aws, identities), regions)
        members = await _in_parallel(installation, list(islice(cycle(opt_ins), namespaces)))
        seen = await stack.enter_async_context(SecretWatcher.open(api, installation.secret_name, members))
        try:
            yield Environment(installation=installation, aws=aws, opt_ins=opt_ins, watcher=seen)
        except AssertionError as error:
            for process in installation.processes:
                error.add_note("\n".join(process.text().splitlines()[-_LOG_LINES:]))
            raise


def _roles(aws: RemoteAws, count: int) -> list[str]:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/bench-{number}" for number in range(count)]
    for role in roles:
        aws.allow_role(role, trusted_principals=ROLE)
    return roles


def _opt_ins(roles: Sequence[str], regions: Sequence[str]) -> list[Annotations]:
    """Pair every identity with every region: one token each."""
    asking = [{"role_arn": role} for role in roles] or [{}]
    hosts = [f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com" for region in regions]
    return [{"enabled": "true", "registries": host, **who} for who in asking for host in hosts]


async def _in_parallel(installation: Installation, opt_ins: Sequence[Annotations]) -> list[str]:
    free = asyncio.Semaphore(_AT_ONCE)

    async def create(annotations: Annotations) -> str:
        async with free:
            return await installation.create_namespace(PREFIX, **annotations)

    return list(await asyncio.gather(*(create(annotations) for annotations in opt_ins)))


async def _stop_all(installation: Installation) -> None:
    for process in installation.processes:
        await process.stop()
