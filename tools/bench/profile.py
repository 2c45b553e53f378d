"""Where the processor time of a rotation goes, by layer: `python -m tools.bench --only profile`."""

import json
import signal
import sys
import time

from testsupport.waiting import until
from tools.bench.environment import Environment, open_environment
from tools.bench.options import REGIONS, Options
from tools.bench.table import Table
from tools.bench.turns import due_after_start


async def measure(options: Options, table: Table, server: str) -> None:
    """Print the share of each layer in one rotation of all."""
    count = options.turn_namespaces
    async with open_environment(namespaces=count, identities=0, regions=REGIONS[:1], server_kind=server) as environment:
        issued = time.monotonic()
        await environment.start()
        await environment.watcher.all_written(1)
        await environment.stop()
        cpu, samples = await _rotation(environment, due_after_start(count, issued))
    table.heading(f"processor time of a rotation of {count:,}, by layer, API server: {server}")
    table.row("per Secret", f"{cpu / count * 1000:.2f} ms", f"{sum(samples.values())} samples")
    for layer, seen in sorted(samples.items(), key=lambda each: -each[1]):
        table.row(layer, f"{seen / sum(samples.values()):.0%}")


async def _rotation(environment: Environment, max_token_age: str) -> tuple[float, dict[str, int]]:
    """Rotate all; return the processor seconds of that, and the samples of each layer."""
    installation = environment.installation
    found = installation.folder / "samples.json"
    installation.program = (sys.executable, "-m", "tools.bench.sampled_controller", str(found))
    environment.watcher.forget()
    await environment.start(maxTokenAge=max_token_age)
    await environment.watcher.begun()
    cpu = environment.cpu_seconds()
    environment.process.popen.send_signal(signal.SIGUSR1)
    await environment.watcher.all_written(1)
    cpu = environment.cpu_seconds() - cpu
    environment.process.popen.send_signal(signal.SIGUSR2)

    async def written() -> bool:
        return found.exists() and bool(found.read_text())

    await until(written, "the samples")
    await environment.stop()
    samples: dict[str, int] = json.loads(found.read_text())
    return cpu, samples
