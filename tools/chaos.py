"""Chaos on a real control plane: everything goes wrong, and the replicas of the real process have to get over it.

`python -m tools.chaos --minutes 60` does one fault after the other, drawn from a seed, with changed requests and a wait
for convergence after each. A watcher judges every version of every pull Secret, the audit log tells who wrote what,
and porcupine checks its history for linearizability. Without minutes each kind happens once. `--failovers 5` measures
instead how long it takes until the next leader writes. Figures go to build/chaos.json. SIGTERM ends a run after the
fault that is under way, with a verdict on what there was.
"""

import argparse
import asyncio
import dataclasses
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from testsupport.chaos import cluster as clusters
from testsupport.chaos import failovers, linearizability
from testsupport.chaos.authors import unseen
from testsupport.chaos.aws_faults import Kind
from testsupport.chaos.cluster import Cluster
from testsupport.chaos.faults import KINDS

_OUTPUT = Path("build/chaos.json")
_HISTORY = Path("build/chaos-history.jsonl")
_WANTED = "linearizable"
_HANG_GUARD = 300.0
"""Seconds for one fault with its convergence, which takes half a minute at most: what hangs is to be seen."""


def main() -> int:
    """Run, print the figures, and return 0 if no invariant broke and the history is linearizable."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="by default, each kind of fault once")
    parser.add_argument("--replicas", type=int, choices=(2, 3), default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--failovers", type=int, default=0, help="measure so many of each kind instead")
    parser.add_argument("--only", choices=[kind.__name__ for kind in KINDS], nargs="+", help="these kinds alone")
    options = parser.parse_args()
    _say(f"seed {options.seed}")
    _OUTPUT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_measure(options, Path(folder)) if options.failovers else _run(options, Path(folder)))
    _keep("failovers" if options.failovers else "chaos", figures)
    _say(json.dumps(figures, indent=2))
    return 1 if figures.get("broken") else 0


async def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rng = random.Random(options.seed)
    kinds = [kind for kind in KINDS if not options.only or kind.__name__ in options.only]
    begun, told = time.monotonic(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    took: dict[str, list[float]] = {kind.__name__: [] for kind in kinds}
    async with clusters.running(folder, count=options.replicas, rng=rng, say=_say) as cluster:
        for kind in _schedule(kinds, rng, once=not options.minutes):
            if told.is_set() or (options.minutes and _minutes_since(begun) > options.minutes):
                break
            _say(f"{kind.__name__} …")
            took[kind.__name__].append(await _suffer(cluster, kind))
            _say(f"{kind.__name__}: converged after {took[kind.__name__][-1]:.1f} s")
            if cluster.seen_broken():
                break
        if not (told.is_set() or cluster.seen_broken()):
            async with _logs_on_failure(cluster):
                await cluster.until_verifying()
        minutes = round(_minutes_since(begun), 1)
        return {"seed": options.seed, "minutes": minutes, "replicas": options.replicas} | _judge(cluster, took)


def _minutes_since(begun: float) -> float:
    return (time.monotonic() - begun) / 60


def _schedule(kinds: Sequence[Kind], rng: random.Random, *, once: bool) -> Iterator[Kind]:
    """Yield every kind, in an order of chance, and again if it is to go on."""
    while True:
        yield from rng.sample(kinds, len(kinds))
        if once:
            return


async def _suffer(cluster: Cluster, kind: Kind) -> float:
    """Do one fault; return the seconds from its end until all is as asked for, with requests changed at its end."""
    async with _logs_on_failure(cluster), asyncio.timeout(_HANG_GUARD):
        await kind(cluster)
        await cluster.change_requests()
        took = await cluster.until_converged()
        await cluster.check_watches()
        return took


@asynccontextmanager
async def _logs_on_failure(cluster: Cluster) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        for name, process in cluster.replicas.running.items():
            _say(f"the end of {name}'s log:\n{process.text()[-4000:]}")
        raise


def _judge(cluster: Cluster, took: dict[str, list[float]]) -> dict[str, Any]:
    requests = cluster.requests()
    history = linearizability.operations(requests, restored=cluster.restored)
    found = linearizability.check(history)
    broken = cluster.verdict(requests)
    if broken or found.result != _WANTED:
        _HISTORY.write_text("".join(f"{json.dumps(dataclasses.asdict(each))}\n" for each in requests))
        _say(f"the requests are in {_HISTORY}, with hashes for contents")
    if found.result != _WANTED:
        broken.append(f"porcupine: {found.result} {found.illegal}")
    return {
        "broken": broken,
        "faults": sum(map(len, took.values())),
        "versions": cluster.judge.versions,
        "versions unseen": len(unseen(cluster.watcher.seen, requests, cluster.installation.secret_name)),
        "versions of ServiceAccounts": cluster.accounts.versions,
        "tokens": len(cluster.aws.tokens),
        "probes": dict(sorted(Counter(call.outcome for call in cluster.aws.probes()).items())),
        "porcupine": {"result": found.result, "objects": found.objects, "operations": found.operations},
        "seconds_to_converge": {name: _spread(times) for name, times in took.items() if times},
    }


async def _measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rng = random.Random(options.seed)
    async with clusters.running(folder, count=options.replicas, rng=rng, lease="15s", say=_say) as cluster:
        times: dict[str, Any] = {}
        for kind in failovers.KINDS:
            took = [await failovers.measure(cluster, kind) for _ in range(options.failovers)]
            times[kind.__name__] = _spread(took)
            _say(f"{kind.__name__}: {times[kind.__name__]}")
        return {
            "seed": options.seed,
            "lease_seconds": 15,
            "broken": cluster.verdict(cluster.requests()),
            "times": times,
        }


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {"times": len(times), "median": round(median(times), 1), "worst": round(max(times), 1)}


def _keep(name: str, figures: dict[str, Any]) -> None:
    """Add the figures to the file, beside those of other runs."""
    kept = json.loads(_OUTPUT.read_text()) if _OUTPUT.exists() else {}
    _OUTPUT.write_text(json.dumps(kept | {name: figures}, indent=2) + "\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
