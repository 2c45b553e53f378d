"""`status` over many namespaces, beside the bare listing of the same metadata."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import yaml

from pullkeeper.adapters.kubernetes.client import connect
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli import status
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.views.namespace_status import StatusRules
from testsupport.rest import METADATA_LIST, RestClient, of_name
from tools.bench.environment import Environment, open_environment
from tools.bench.options import REGIONS, Options
from tools.bench.table import Table, ms

_TIMES = 5
"""Each is measured so often, in turn, and the best one counts: other load on the machine only ever takes away."""
_KNOWN = StatusRules(policy=Settings().policy, rotation=Settings().rotation)


async def measure(options: Options, table: Table) -> None:
    """Print how long `status` takes, beside the listing that it cannot do without."""
    async with open_environment(namespaces=options.status_namespaces, identities=0, regions=REGIONS[:1]) as environment:
        await environment.start()
        await environment.watcher.all_written(1)
        await environment.stop()
        connection = await connect(kubeconfig=_kubeconfig(environment), record_request=lambda *_: None)
        listing = SnapshotReader(connection, secret_name=environment.installation.secret_name)
        bare, durations = [], []
        for _ in range(_TIMES):
            bare.append(await _timed(lambda: _bare(environment.installation.api, environment.installation.secret_name)))
            durations.append(await _timed(lambda: _run_status(listing, options)))
        whole = await _timed(lambda: _process(environment))
        await connection.close()
    table.heading(f"status over {options.status_namespaces:,} namespaces with a pull Secret each")
    table.row("a bare loop that lists the metadata of both kinds", ms(min(bare)), "aiohttp and json, in chunks of 500")
    table.row("status: list, and derive every state", ms(min(durations)))
    table.row(
        "status over the bare loop",
        f"{min(durations) / min(bare):.2f}",
        "with few namespaces the start of the command counts",
    )
    table.row("the command as a process, start and table included", ms(whole))


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.monotonic()
    await work()
    return time.monotonic() - started


async def _run_status(listing: SnapshotReader, options: Options) -> None:
    overview = await status.status_report(listing, _KNOWN, lambda: datetime.now(UTC))
    assert len(overview.namespaces) == options.status_namespaces, "status does not see every namespace"
    assert overview.healthy, "status finds something wrong where all is well"


async def _bare(api: RestClient, secret_name: str) -> None:
    await asyncio.gather(_pages(api, "/api/v1/namespaces"), _pages(api, "/api/v1/secrets", **of_name(secret_name)))


async def _pages(api: RestClient, path: str, **query: str) -> None:
    headers = {"Authorization": f"Bearer {api.token}", "Accept": METADATA_LIST}
    more = ""
    while True:
        parameters = {**query, "limit": "500", **({"continue": more} if more else {})}
        async with api.http.get(api.url + path, params=parameters, headers=headers) as answer:
            more = json.loads(await answer.read())["metadata"].get("continue", "")
        if not more:
            return


async def _process(environment: Environment) -> None:
    command = (sys.executable, "-m", "pullkeeper", "status", "--kubeconfig", _kubeconfig(environment))
    process = await asyncio.create_subprocess_exec(
        *command,
        "--secret-name",
        environment.installation.secret_name,
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ,
    )
    assert await process.wait() == 0, "status finds something wrong where all is well"


def _kubeconfig(environment: Environment) -> str:
    server, path = environment.installation.server, environment.installation.folder / "kubeconfig"
    document = {
        "clusters": [{"name": "it", "cluster": {"server": server.url, "certificate-authority": server.ca_file}}],
        "users": [{"name": "it", "user": {"token": server.admin_token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)
