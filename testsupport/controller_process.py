"""The controller as a process of its own, as a pod would run it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from testsupport.waiting import HANG_GUARD, until

_PORT = re.compile(r"on port (\d+)")


class ControllerProcess:
    """A running `pullkeeper run`, or another command of a pod's; its log goes to a file."""

    def __init__(self, *, config: Path, log: Path, environment: Mapping[str, str], command: Sequence[str] = ()) -> None:
        self.config = config
        self.log = log
        self.last_metrics = ""
        """The metrics just before SIGTERM."""
        self._scraped = ""
        self.terminated_at: datetime | None = None
        """When SIGTERM was sent, at the latest."""
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        command = command or [sys.executable, "-m", "pullkeeper", "run", "--config", str(config)]
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                command, env=inherited | dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    async def until_ready(self) -> None:
        """Wait until /readyz says so."""

        async def poll() -> bool:
            assert self.popen.poll() is None, f"the controller has ended:\n{self.text()}"
            return (await self.probe("/readyz"))[0] == 200

        await until(poll, "the controller to be ready")

    def port(self) -> int | None:
        """Return its HTTP port, or None until it is bound."""
        match = _PORT.search(self.text())
        return int(match[1]) if match else None

    async def probe(self, path: str) -> tuple[int, str]:
        """GET a path on its HTTP port; status 0 means no answer."""
        port = self.port()
        if port is None:
            return 0, ""
        try:
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def first_answer(self, path: str) -> tuple[int, str]:
        """Wait for any answer on this path and return it."""

        async def poll() -> tuple[int, str] | None:
            answer = await self.probe(path)
            return answer if answer[0] else None

        return await until(poll, f"an answer on {path}")

    async def scrape(self) -> str:
        """Return its metrics as they are now.

        It may serve the last ones again for a moment. So it is asked until they are others: rendering takes processor
        time, which is among them.
        """

        async def rendered() -> str | None:
            assert self.popen.poll() is None, f"the controller has ended:\n{self.text()}"
            status, text = await self.probe("/metrics")
            return text if status == 200 and text != self._scraped else None

        self._scraped = await until(rendered, "metrics that are rendered anew")
        return self._scraped

    async def metric(self, name: str, **labels: str) -> float:
        """Return one sample, or the sum of those that match, as it is now; 0 if there is none."""
        return _sum(await self.scrape(), name, labels)

    async def leads(self) -> bool:
        """Return whether it says that it is the leader; it may say nothing."""
        return _sum((await self.probe("/metrics"))[1], "pullkeeper_leader", {}) == 1

    async def until_metric(self, value: float, name: str, **labels: str) -> None:
        """Wait until the metric has this value."""

        async def equal() -> bool:
            return await self.metric(name, **labels) == value

        await until(equal, f"{name}{labels} to be {value:g}")

    async def until_logged(self, text: str) -> None:
        """Wait until the log contains the text."""

        async def logged() -> bool:
            return text in self.text()

        await until(logged, f"the log to say {text!r}")

    def text(self) -> str:
        """Return the whole log."""
        return self.log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines, one JSON object each."""
        return [json.loads(line) for line in self.text().splitlines()]

    def change_settings(self, **changes: object) -> None:
        """Change its settings file while it runs; None takes a key out."""
        document = {**yaml.safe_load(self.config.read_text()), **changes}
        self.config.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}))

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.popen.kill()
        self.popen.wait()

    async def stop(self) -> int:
        """Send SIGTERM, wait for the end and return the exit status."""
        if self.popen.poll() is None:
            self.last_metrics = (await self.probe("/metrics"))[1]
            self.popen.send_signal(signal.SIGTERM)
            self.terminated_at = datetime.now(UTC)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end and return the exit status."""
        try:
            async with asyncio.timeout(HANG_GUARD):
                return await asyncio.to_thread(self.popen.wait)
        except TimeoutError:
            self.kill()
            raise AssertionError(f"the controller does not end:\n{self.text()[-3000:]}") from None


def _sum(text: str, name: str, labels: Mapping[str, str]) -> float:
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())
