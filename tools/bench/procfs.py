"""What the kernel knows of a process."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB_PER_MIB = 1024
_AFTER_NAME = 2
"""The process' name, in brackets, is field 2 of `stat`, and may hold blanks itself."""
_USER, _SYSTEM = 14, 15


def resident_mib(pid: int) -> float:
    """Give the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["VmRSS"].split()[0]) / _KIB_PER_MIB


def cpu_seconds(pid: int) -> float:
    """Give the processor time that all threads of a process have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[number - _AFTER_NAME - 1]) for number in (_USER, _SYSTEM)) / _TICKS
