"""Tenants that hammer at a pace, or as fast as the API server takes it where it takes less.

They are a process of their own, so that the bench's clock does not wait for them. It says `ready` when they have begun;
at a line on its standard input, or its end, they stop, and the requests of each that were answered in a second are
printed.
"""

import argparse
import asyncio
import json
import random
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from testsupport.hostile_tenant import AT_ONCE, HostileTenant
from testsupport.rest import RestClient


def main() -> None:
    """Run the tenants."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.hostile_tenants", description=__doc__)
    parser.add_argument("--tenants", type=int, required=True)
    parser.add_argument("--pace", type=int, required=True, help="requests of each tenant in a second")
    for name in ("server", "ca-file", "token-file", "secret-name"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    token = Path(arguments.token_file).read_text()
    print(json.dumps(asyncio.run(_run(arguments, token))), flush=True)


async def _run(arguments: argparse.Namespace, token: str) -> list[float]:
    tls = ssl.create_default_context(cafile=arguments.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls)) as http:
        admin = RestClient(http=http, url=arguments.server, token=token)
        tenants = [await _tenant(admin, number, arguments.secret_name) for number in range(arguments.tenants)]
        seconds = await _hammer(tenants, AT_ONCE / arguments.pace)
    return [tenant.requests / seconds for tenant in tenants]


async def _tenant(admin: RestClient, number: int, secret_name: str) -> HostileTenant:
    return await HostileTenant.create(
        admin, name=f"hostile-{number}", secret_name=secret_name, others=(), rng=random.Random(number)
    )


async def _hammer(tenants: Sequence[HostileTenant], interval: float) -> float:
    """Let them go on until a line is read, and return the seconds of that; a tenant that gives up is an error."""
    told, started = asyncio.Event(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for tenant in tenants:
            group.create_task(_keep_hammering(tenant, interval, told))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        told.set()
    return time.monotonic() - started


async def _keep_hammering(tenant: HostileTenant, interval: float, told: asyncio.Event) -> None:
    """Make as many requests as a tenant makes at once in each interval, or in the time that they take, until told."""
    while not told.is_set():
        await asyncio.gather(tenant.hammer(AT_ONCE), asyncio.sleep(interval))


if __name__ == "__main__":
    main()
