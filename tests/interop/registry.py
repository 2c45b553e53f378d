"""A real OCI registry, Debian's docker-registry, for whoever stands before it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml

from testsupport.control_plane.process import Process
from testsupport.interop_tools import Tools
from testsupport.waiting import until


@asynccontextmanager
async def serve_registry(tools: Tools, folder: Path) -> AsyncIterator[str]:
    """Run one with nothing in it and without a login of its own; gives its URL."""
    url = f"127.0.0.1:{_free_port()}"
    config = folder / "registry.yaml"
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        # It does not know under which of the names it was asked.
        "http": {"addr": url, "relativeurls": True},
    }
    config.write_text(yaml.safe_dump(settings))
    process = Process([tools.path("docker-registry"), "serve", str(config)], log=folder / "registry.log")
    try:
        async with aiohttp.ClientSession() as http:
            await until(lambda: _answers(http, f"http://{url}/v2/", process), "docker-registry to answer")
        yield f"http://{url}"
    finally:
        process.stop()


async def _answers(http: aiohttp.ClientSession, url: str, process: Process) -> bool:
    assert process.exit_code() is None, process.tail()
    async with http.get(url) as answer:
        return answer.status == 200


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
