"""What hostile tenants cost the process, and the cluster and AWS through it."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testsupport.controller_process import ControllerProcess
from testsupport.honest_population import HOSTS
from testsupport.installation import Installation

MEMORY_LIMIT = 256 * 1024
"""KiB, the chart's limit. The kernel would kill a pod that exceeds it once, so its peak is what counts."""
_CALLS_PER_MINUTE = 100
"""Calls that are retried for registries that cannot be had, until a tenant asks for something else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a number of hostile namespaces may cost in a number of minutes.

    The rates are those of docs/configuration.md ("What one namespace may cost"): a number at once, and then one a
    minute. The time counts for the tenants: nothing is judged by how long it takes.
    """

    namespaces: int
    minutes: float

    @property
    def reports(self) -> int:
        """Log lines about namespaces, and as many new Events."""
        return int(self.namespaces * (30 + self.minutes))

    @property
    def connections(self) -> int:
        """Connections to hosts of AWS that no honest namespace needs; botocore tries three times."""
        return int(3 * (50 * self.namespaces + _CALLS_PER_MINUTE * self.minutes))

    @property
    def series(self) -> int:
        """Time series, for the identities and regions that AWS has answered for."""
        return 60 * self.namespaces


class Costs:
    """Counts from its creation on."""

    def __init__(self, installation: Installation, process: ControllerProcess, tenants: Sequence[str]) -> None:
        self._installation = installation
        self._process = process
        self._tenants = frozenset(tenants)
        self._started = time.monotonic()

    def budget(self) -> Budget:
        """Return the budget until now."""
        return Budget(namespaces=len(self._tenants), minutes=(time.monotonic() - self._started) / 60)

    async def over(self, series_before: int) -> Iterator[str]:
        """Return every budget that is exceeded."""
        budget = self.budget()
        spent = {
            "log lines": (self.lines(), budget.reports),
            "Events": (await self.events(), budget.reports),
            "connections to AWS": (self.connections(), budget.connections),
            "time series": (await self.series() - series_before, budget.series),
            "KiB of memory": (self.peak_memory(), MEMORY_LIMIT),
        }
        print(spent)
        return (f"{what}: {count}, at most {limit}" for what, (count, limit) in spent.items() if count > limit)

    def lines(self) -> int:
        """Count the log lines about the tenants' namespaces."""
        lines = map(json.loads, self._process.text().splitlines())
        return sum(line.get("namespace") in self._tenants for line in lines)

    async def events(self) -> int:
        """Count the Events that the controller has created in the tenants' namespaces."""
        found = (await self._installation.api.get("/apis/events.k8s.io/v1/events")).ok()["items"]
        ours = [event for event in found if event.get("reportingInstance", "").startswith("replica-")]
        return sum(event["metadata"]["namespace"] in self._tenants for event in ours)

    def connections(self) -> int:
        """Count the connections that were asked for to hosts that honest namespaces have nothing to do with."""
        honest = {host.partition(".dkr.")[2] for host in HOSTS}
        needed = {f"api.{host}" for host in honest}
        asked = self._installation.aws.network.asked
        return sum(not (host.startswith("sts.") or host in needed) for host in asked)

    async def series(self) -> int:
        """Count the series of a scrape."""
        scrape = await self._process.scrape()
        return sum(not line.startswith("#") for line in scrape.splitlines())

    def peak_memory(self) -> int:
        """Return the most memory that the process has ever held, in KiB."""
        status = Path(f"/proc/{self._process.popen.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
