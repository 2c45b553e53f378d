"""What the demo runs: the API server in memory, the AWS fake, the controller, and a recorder of every Secret."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from testsupport import fake_aws, fake_kube
from testsupport.fake_aws import AwsFake
from testsupport.installation import ACCOUNT_NAME, Installation, install
from testsupport.rest import RestClient
from testsupport.secret_recorder import SecretRecorder
from tools.demo.namespaces import DEFAULT_HOST, HOSTILE, NAMESPACES, REFUSED, REFUSED_REGION
from tools.demo.timeline import Timeline

LIFE = timedelta(minutes=1)
"""How long a token lives here; a real one lives for twelve hours."""
_SETTINGS = {"registries": [DEFAULT_HOST]}
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Everything that runs, for the scenes to act on and the promises to be checked against."""

    server: fake_kube.ApiServer
    aws: AwsFake
    installation: Installation
    recorder: SecretRecorder
    timeline: Timeline

    async def start_controller(self) -> None:
        """Start `pullkeeper run` and wait until it is ready."""
        await self.installation.start(_SETTINGS)

    def kill_controller(self) -> None:
        """End the running controller without warning."""
        self.installation.processes[-1].kill()

    def writes(self, resource: str) -> int:
        """Count what the controller wrote to objects of one kind, refused or not."""
        user = f"system:serviceaccount:{self.installation.namespace}:{ACCOUNT_NAME}"
        return sum(
            record.user == user and record.verb in _WRITES and record.resource == resource
            for record in list(self.server.requests)
        )


@asynccontextmanager
async def open_environment(folder: Path) -> AsyncIterator[Environment]:
    """Start everything but the controller, and stop all of it at the end of the block, whatever happens."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(fake_kube.serve_in_thread())
        aws = stack.enter_context(fake_aws.serve_in_thread())
        aws.lifetime = LIFE
        aws.deny(operation="GetAuthorizationToken", region=REFUSED_REGION)
        tls = ssl.create_default_context(cafile=server.ca_file)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)))
        api = RestClient(http=http, url=server.url, token=server.admin_token)
        installation = await install(server, api, aws, folder, secret_name="ecr-pull-secret")
        await _create_namespaces(installation)
        recorder = await stack.enter_async_context(installation.recording())
        stack.push_async_callback(_stop, installation)
        timeline = Timeline(recorder.versions)
        yield Environment(server=server, aws=aws, installation=installation, recorder=recorder, timeline=timeline)


async def _create_namespaces(installation: Installation) -> None:
    for name in (*(namespace.name for namespace in NAMESPACES), REFUSED, HOSTILE):
        (await installation.api.post("/api/v1/namespaces", {"metadata": {"name": name}})).ok()
        installation.namespaces.append(name)


async def _stop(installation: Installation) -> None:
    for process in installation.processes:
        await process.stop()
