"""One token for all: nothing but Kubernetes writes, beside a loop that does nothing else."""

import asyncio

from tools.bench.bare import AT_ONCE, applies_per_second
from tools.bench.environment import Scene, scene
from tools.bench.options import QUARTER, REGIONS, Options
from tools.bench.table import Table

_TIMES = 2
"""Each is measured so often, and the better one counts: other load on the machine only ever takes away."""


async def measure(options: Options, table: Table) -> None:
    """Print how fast a rotation writes."""
    async with scene(namespaces=options.namespaces, identities=0, regions=REGIONS[:1]) as stage:
        await asyncio.to_thread(stage.aws.set_life, options.life)
        await stage.start(refreshFraction=QUARTER)
        await stage.sightings.all_written(1)
        rotations = [await _rotate(stage, options) for _ in range(_TIMES)]
        await stage.stop()
        user, name = stage.installation.user, stage.installation.secret_name
        bare = max([await applies_per_second(user, name) for _ in range(_TIMES)])
    speed, cpu = max(speed for speed, _ in rotations), min(cpu for _, cpu in rotations)
    table.heading(f"the writes alone: a rotation of {options.namespaces:,} that share one token")
    table.row("applies per second, the controller", f"{speed:,.0f}")
    table.row(f"applies per second, a bare loop, {AT_ONCE} at once", f"{bare:,.0f}", "same server, same bodies")
    table.row("the controller's over the bare loop's", f"{speed / bare:.2f}")
    table.row("processor time for each rotated Secret", f"{cpu / options.namespaces * 1000:.1f} ms")


async def _rotate(stage: Scene, options: Options) -> tuple[float, float]:
    """Give the applies per second and the controller's processor seconds of one rotation."""
    stage.sightings.forget()
    first, cpu = await stage.sightings.begun(), stage.cpu_seconds()
    last = await stage.sightings.all_written(1)
    return options.namespaces / (last - first), stage.cpu_seconds() - cpu
