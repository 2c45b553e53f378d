"""A real Prometheus on 127.0.0.1 that scrapes one target and evaluates the rules."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from testsupport.prometheus_tools import Tools
from testsupport.waiting import until

_EVERY = "500ms"
_CONFIG = {
    "global": {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "evaluation_interval": _EVERY},
    "rule_files": ["rules.yaml"],
    "scrape_configs": [
        {"job_name": "pullkeeper", "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}]}
    ],
}


class Prometheus:
    """A running Prometheus with its files in one folder."""

    def __init__(self, tools: Tools, folder: Path, rules: str, data: Path | None = None) -> None:
        """With `data`, it starts with what is stored there."""
        folder.mkdir()
        port = _free_port()
        self._folder = folder
        self._url = f"http://127.0.0.1:{port}"
        self.point_to(None)
        (folder / "rules.yaml").write_text(rules)
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(_CONFIG))
        command = [
            str(tools.prometheus),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={data or folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with (folder / "log").open("wb") as log:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def point_to(self, port: int | None) -> None:
        """Scrape this port as the installation's only pod from now on; None removes the pod."""
        labels = {"namespace": "pullkeeper-system", "pod": "pullkeeper-0"}
        targets = [{"targets": [f"127.0.0.1:{port}"], "labels": labels}] if port else []
        new = self._folder / "targets.new"
        new.write_text(json.dumps(targets))
        new.rename(self._folder / "targets.json")

    async def query(self, expression: str, *, at: int | None = None) -> list[dict[str, Any]]:
        """Evaluate an expression, now or at a Unix time, and return its result."""
        moment = {} if at is None else {"time": str(at)}
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self._url}/api/v1/query", params={"query": expression, **moment}) as response,
        ):
            body = await response.json()
            assert body["status"] == "success", body
            found: list[dict[str, Any]] = body["data"]["result"]
            return found

    async def alerts(self) -> set[tuple[str, str]]:
        """Return the names and states of pending and firing alerts."""
        async with aiohttp.ClientSession() as http, http.get(f"{self._url}/api/v1/alerts") as response:
            found = (await response.json())["data"]["alerts"]
        return {(alert["labels"]["alertname"], alert["state"]) for alert in found}

    async def ever(self, state: str) -> set[str]:
        """Return the names of alerts that were in a state at any time in the last ten minutes."""
        found = await self.query(f'count by (alertname) (count_over_time(ALERTS{{alertstate="{state}"}}[10m]))')
        return {each["metric"]["alertname"] for each in found}

    async def fires(self, *names: str) -> None:
        """Wait until all of these alerts fire; asserts that each was pending before."""

        async def firing() -> bool:
            return {(name, "firing") for name in names} <= await self.alerts()

        await until(firing, f"{', '.join(names)} to fire")
        assert set(names) <= await self.ever("pending")

    async def resolves(self, *names: str) -> None:
        """Wait until none of these alerts is pending or firing."""

        async def gone() -> bool:
            return not set(names) & {name for name, _ in await self.alerts()}

        await until(gone, f"{', '.join(names)} to resolve")

    async def sees(self, expression: str) -> None:
        """Wait until an expression has a result."""

        async def has() -> bool:
            return bool(await self.query(expression))

        await until(has, f"a result of {expression}")

    async def until_ready(self) -> None:
        """Wait until Prometheus is ready."""

        async def ready() -> bool:
            async with aiohttp.ClientSession() as http, http.get(f"{self._url}/-/ready") as response:
                return response.status == 200

        await until(ready, "Prometheus to be ready")


@asynccontextmanager
async def serve(tools: Tools, folder: Path, rules: str, data: Path | None = None) -> AsyncIterator[Prometheus]:
    """Run Prometheus within the block."""
    prometheus = Prometheus(tools, folder, rules, data)
    try:
        await prometheus.until_ready()
        yield prometheus
    finally:
        prometheus.popen.terminate()
        await asyncio.to_thread(prometheus.popen.wait, 30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
