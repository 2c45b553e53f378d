"""The guard's own program (see process.Guard).

Its argument is the folder; its input a process group, then "released" if nothing needs to be ended.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds until what cannot be deleted is left."""


def main() -> None:
    """Wait for the end of the input, then clean up."""
    lines = sys.stdin.read().split()
    if lines and lines[-1] != "released":
        _kill_group(int(lines[0]))
    _delete(Path(sys.argv[1]))


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # they had ended before


def _delete(folder: Path) -> None:
    # A process that was just killed may still finish a write into the folder.
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
