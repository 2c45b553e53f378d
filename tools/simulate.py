"""Simulates years of small clusters with faults drawn from seeds, and judges every moment of them.

`python -m tools.simulate --seeds 500 --years 500`; `--seeds 17` with `--only` runs a single seed again.
A violation prints its seed, the invariant and a minimal history.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from testsupport.simulation.years.campaign import Outcome, Totals, minimal_history, run_seeds
from testsupport.simulation.years.drawing import draw, is_short

_SHRUNK = 3
"""So many violations are shrunk; the others are printed as they are."""


def main() -> int:
    """Run the seeds; return 1 if an invariant was broken."""
    options = _options()
    seeds = [options.seeds] if options.only else range(1, options.seeds + 1)
    days = options.years * 365.0 / max(sum(not is_short(seed) for seed in seeds), 1)
    totals, broken = Totals(), list[Outcome]()
    for done, outcome in enumerate(run_seeds(seeds, days=days, workers=options.workers), 1):
        totals.add(outcome)
        if outcome.found:
            broken.append(outcome)
            _say(f"seed {outcome.seed}: {outcome.found[0][0]}: {outcome.found[0][1]}")
        if done % 50 == 0:
            _say(f"{done} of {len(seeds)} seeds")
    document = totals.document()
    _write(options.json, document)
    print(json.dumps(document, indent=2))
    missing = totals.missing()
    print(*missing, sep="\n", end="\n" if missing else "")
    _explain(broken, days)
    return 1 if broken or missing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="number of seeds, from 1 (500)")
    parser.add_argument("--years", type=float, default=500.0, help="years of all of them together (500)")
    parser.add_argument("--only", action="store_true", help="run this one seed")
    parser.add_argument("--workers", type=int, help="processes (one for each core)")
    parser.add_argument("--json", type=Path, default=Path("build/simulation.json"), help="where to write the figures")
    return parser.parse_args()


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def _explain(broken: Iterable[Outcome], days: float) -> None:
    """Print what is broken, with a minimal history of the first few."""
    for number, outcome in enumerate(sorted(broken, key=lambda each: each.seed)):
        invariant, text = outcome.found[0]
        print(f"\nseed {outcome.seed} breaks invariant {invariant}: {text}")
        if number < _SHRUNK:
            run, lines = minimal_history(draw(outcome.seed, days=days), invariant)
            print(f"minimal history, {run.end / 86400:.1f} days:", *lines, sep="\n  ")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
