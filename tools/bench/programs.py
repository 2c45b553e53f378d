"""The programs that the controller is measured beside, as processes of their own."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tools.bench.environment import Environment
from tools.bench.options import REGIONS

_PATIENCE = 120.0
_TOKEN, _ADMIN_TOKEN = "token", "admin-token"
"""Files in the installation's folder."""


@asynccontextmanager
async def bare_program(environment: Environment, work: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of the bare programs; the block begins when it is ready, and ends with it."""
    installation = environment.installation
    command = ("tools.bench.bare_program", work, "--secret-name", installation.secret_name)
    async with _program(environment, *command, **installation.irsa(region=REGIONS[0])) as program:
        yield program
        await go_on(program)
        await asyncio.wait_for(program.wait(), _PATIENCE)


@asynccontextmanager
async def hostile_tenants(environment: Environment, count: int, pace: int) -> AsyncIterator[list[float]]:
    """Let so many tenants hammer for the length of the block, each with so many requests a second at most.

    After the block the list holds the rates that they have reached; asserts that the API server answered each.
    """
    rates: list[float] = []
    installation = environment.installation
    (installation.folder / _ADMIN_TOKEN).write_text(installation.server.admin_token)
    load = ("--tenants", str(count), "--pace", str(pace), "--secret-name", installation.secret_name)
    async with _program(environment, "tools.bench.hostile_tenants", *load, token=_ADMIN_TOKEN) as program:
        yield rates
        await go_on(program)
        rates.extend(json.loads(await line(program)))
        await asyncio.wait_for(program.wait(), _PATIENCE)
    assert len(rates) == count
    assert all(rates), f"requests a second of each hostile tenant: {rates}"


async def kopf_seconds(environment: Environment, namespaces: int) -> float:
    """Return how long kopf with an empty handler takes from the start of its process until it has seen so many."""
    started = time.monotonic()
    async with _program(environment, "tools.bench.bare_kopf", "--namespaces", str(namespaces)) as program:
        seconds = time.monotonic() - started
        program.terminate()
    return seconds


@asynccontextmanager
async def _program(
    environment: Environment, module: str, *arguments: str, token: str = _TOKEN, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module that says when it is ready, with what it needs to reach the API server: a token of that name."""
    server, folder = environment.installation.server, environment.installation.folder
    files = ("--server", server.url, "--ca-file", server.ca_file, "--token-file", str(folder / token))
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments, *files),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **variables},
    )
    try:
        assert await line(program) == "ready\n"
        yield program
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


async def line(program: asyncio.subprocess.Process) -> str:
    """Return the next line that it writes."""
    assert program.stdout is not None
    return (await asyncio.wait_for(program.stdout.readline(), _PATIENCE)).decode()


async def go_on(program: asyncio.subprocess.Process) -> None:
    """Let it go on, which waits for a line."""
    assert program.stdin is not None
    program.stdin.write(b"\n")
    await program.stdin.drain()
