"""`pullkeeper`, which counts in whose code its processor time goes between SIGUSR1 and SIGUSR2.

`python -m tools.bench.sampled_controller FILE run …` writes the counts into FILE. The kernel's timer of processor time
samples it, so that what it does not do costs nothing.
"""

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from pullkeeper.cli.main import main

_INTERVAL = 0.004
"""Seconds of processor time between two samples, as fine as most kernels count."""
_LIBRARIES = ("kopf", "aiohttp", "asyncio", "json", "yarl", "prometheus_client", "logging")


def layer(module: str) -> str | None:
    """Return to whom a module's time is attributed, None for one that works for its caller."""
    package, _, rest = module.partition(".")
    if package == "pullkeeper":
        return f"pullkeeper.{rest.partition('.')[0]}"
    return package if package in _LIBRARIES else None


def layer_of(frame: FrameType | None) -> str:
    """Return to whom the time of a stack is attributed: the innermost that does not work for its caller."""
    return next(filter(None, (layer(module) for module in _modules(frame))), "other")


def _modules(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back


def _run() -> int:
    path, counts = Path(sys.argv.pop(1)), Counter[str]()

    def sample(_: int, frame: FrameType | None) -> None:
        counts[layer_of(frame)] += 1

    def finish(_: int, __: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps(counts))

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, lambda _, __: signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL))
    signal.signal(signal.SIGUSR2, finish)
    return main()


if __name__ == "__main__":
    sys.exit(_run())
