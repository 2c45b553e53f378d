"""Goes through every boundary, and starts in every state: `python -m testsupport.boundaries [SCENARIO …]`.

Exits 1 if a run breaks a promise. With scenarios named, only these are gone through. Of the runs in which two things
go wrong as many as `--pairs` are drawn: there are half a million.
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

from testsupport.boundaries.churn import YEAR, churn
from testsupport.boundaries.explore import Tally, explore, explore_states
from testsupport.boundaries.scenarios import SCENARIOS

_FIGURES = Path("build/boundaries.json")
_SHOWN = 20


def main(arguments: list[str]) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m testsupport.boundaries", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--pairs", type=int, default=400, help="runs in which two things go wrong")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="which pairs are drawn")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args(arguments)
    if unknown := set(options.scenarios) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    with multiprocessing.Pool(options.workers) as pool:
        year = pool.apply_async(churn, (0.0 if options.scenarios else YEAR,))
        tally = explore(options.scenarios or SCENARIOS, pool, pairs=options.pairs, seed=options.seed)
        states = Tally() if options.scenarios else explore_states(pool)
        first, last = year.get()
    grown = list(first.grown_to(last))
    drawn = {"pairs": options.pairs, "seed": options.seed}
    figures = _figures(tally, states, grown) | drawn | {"seconds": round(time.monotonic() - begun)}
    _FIGURES.parent.mkdir(exist_ok=True)
    _FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))
    failed = [*tally.failed, *states.failed]
    for result in [*failed[:_SHOWN], *grown]:
        print(result)
    return 1 if failed or grown else 0


def _figures(tally: Tally, states: Tally, grown: list[str]) -> dict[str, Any]:
    return {
        "runs": tally.runs.total(),
        "states": states.runs.total(),
        "failed": len(tally.failed) + len(states.failed) + len(grown),
        "grown_in_a_year": grown,
        "scenarios": dict(sorted(tally.runs.items())),
        "faults": {str(fault): count for fault, count in sorted(tally.faults.items())},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
