"""Measure the controller process at scale, against the in-memory API server and the AWS fake.

Counts and the growth of memory decide the exit status. Times depend on the machine, so they are only shown, where
possible as ratios to a bare loop in the same run.
"""

import argparse
import asyncio
import os
import sys
import time
from dataclasses import asdict

from tools.bench import identities, status_command, write_path
from tools.bench.options import FULL, QUICK, Options
from tools.bench.table import Table


def main() -> int:
    """Measure and print the figures; return 0 if every promised figure is met."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure a tenth of everything, in a quarter of the time")
    options = QUICK if parser.parse_args().quick else FULL
    table, started = Table(), time.monotonic()
    asyncio.run(_run(options, table))
    verdict = f"NOT as promised: {'; '.join(table.failed)}" if table.failed else "as promised"
    print(f"\n{verdict} ({time.monotonic() - started:.0f} s)")
    return 1 if table.failed else 0


async def _run(options: Options, table: Table) -> None:
    table.heading(f"python -m tools.bench{' --quick' if options is QUICK else ''}, on {os.cpu_count()} processors")
    for name, value in asdict(options).items():
        table.row(name.replace("_", " "), f"{value:,}")
    await write_path.measure(options, table)
    await identities.measure(options, table)
    await status_command.measure(options, table)


if __name__ == "__main__":
    sys.exit(main())
