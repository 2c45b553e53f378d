"""One token for all: nothing but Kubernetes writes, beside a loop that does nothing else."""

import asyncio

from tools.bench.bare import AT_ONCE, applies_per_second
from tools.bench.environment import Environment, open_environment
from tools.bench.options import QUARTER, REGIONS, Options
from tools.bench.table import Table

_TIMES = 2
"""Each is measured so often, and the better one counts: other load on the machine only ever takes away."""


async def measure(options: Options, table: Table) -> None:
    """Print how fast a rotation writes."""
    async with open_environment(namespaces=options.namespaces, identities=0, regions=REGIONS[:1]) as environment:
        await asyncio.to_thread(environment.aws.set_life, options.life)
        await environment.start(refreshFraction=QUARTER)
        await environment.watcher.all_written(1)
        rotations = [await _rotate(environment, options) for _ in range(_TIMES)]
        await environment.stop()
        user, name = environment.installation.user, environment.installation.secret_name
        bare = max([await applies_per_second(user, name) for _ in range(_TIMES)])
    speed, cpu = max(speed for speed, _ in rotations), min(cpu for _, cpu in rotations)
    table.heading(f"the writes alone: a rotation of {options.namespaces:,} that share one token")
    table.row("applies per second, the controller", f"{speed:,.0f}")
    table.row(f"applies per second, a bare loop, {AT_ONCE} at once", f"{bare:,.0f}", "same server, same bodies")
    table.row("the controller's over the bare loop's", f"{speed / bare:.2f}")
    table.row("processor time for each rotated Secret", f"{cpu / options.namespaces * 1000:.1f} ms")


async def _rotate(environment: Environment, options: Options) -> tuple[float, float]:
    """Give the applies per second and the controller's processor seconds of one rotation."""
    environment.watcher.forget()
    first, cpu = await environment.watcher.begun(), environment.cpu_seconds()
    last = await environment.watcher.all_written(1)
    return options.namespaces / (last - first), environment.cpu_seconds() - cpu
