"""Measure the controller process at scale: beside bare programs on a real API server, counts on one in memory.

Counts and the growth of memory decide the exit status. Times depend on the machine, so they are only shown, where
possible as ratios to a bare loop in the same run.
"""

import argparse
import asyncio
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from tools.bench import growth, identities, profile, status_command, turns
from tools.bench.options import FULL, QUICK, Options
from tools.bench.servers import MEMORY, REAL
from tools.bench.table import Table

PARTS = ("turns", "growth", "identities", "status")
PROFILE = "profile"
"""Measured only if it is asked for."""


def main() -> int:
    """Measure and print the figures; return 0 if every promised figure is met."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure a tenth of everything, in a quarter of the time")
    parser.add_argument("--server", choices=(REAL, MEMORY), default=REAL, help="the API server of the turns")
    parser.add_argument("--namespaces", type=int, help="how many are rotated in turns with a bare program")
    parser.add_argument("--sizes", help="namespaces for what may grow with them, such as 100,1000,10000")
    parser.add_argument("--only", nargs="+", choices=(*PARTS, PROFILE), default=PARTS, help="measure nothing else")
    parser.add_argument("--json", type=Path, help="write the figures into this file, too, after each size")
    arguments = parser.parse_args()
    options = QUICK if arguments.quick else FULL
    options = replace(options, turn_namespaces=arguments.namespaces or options.turn_namespaces)
    if arguments.sizes:
        options = replace(options, sizes=tuple(map(int, arguments.sizes.split(","))))
    table, started = Table(arguments.json), time.monotonic()
    asyncio.run(_run(options, table, arguments))
    table.save()
    verdict = f"NOT as promised: {'; '.join(table.failed)}" if table.failed else "as promised"
    print(f"\n{verdict} ({time.monotonic() - started:.0f} s)")
    return 1 if table.failed else 0


async def _run(options: Options, table: Table, arguments: argparse.Namespace) -> None:
    table.heading(f"python -m tools.bench{' --quick' if arguments.quick else ''}, on {os.cpu_count()} processors")
    for name, value in asdict(options).items():
        table.row(name.replace("_", " "), " ".join(f"{each:,}" for each in (value if name == "sizes" else (value,))))
    if PROFILE in arguments.only:
        await profile.measure(options, table, arguments.server)
    if "turns" in arguments.only:
        await turns.measure(options, table, arguments.server)
    if "growth" in arguments.only:
        await growth.measure(options, table, arguments.server)
    if "identities" in arguments.only:
        await identities.measure(options, table)
    if "status" in arguments.only:
        await status_command.measure(options, table)


if __name__ == "__main__":
    sys.exit(main())
