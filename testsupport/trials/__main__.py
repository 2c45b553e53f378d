"""Puts each fault of the table back and has its test run: `python -m testsupport.trials --rows 20`.

Exits with 1 if a fault is not noticed, or cannot be put back.
"""

import argparse
import json
import random
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from testsupport.trials import table
from testsupport.trials.checkout import Checkout
from testsupport.trials.table import EditError, Trial

_FOLDER, _REPORT = Path("build/trials"), Path("build/trials.json")
NOTICED = "noticed"


def main() -> int:
    """Try all rows, or a share; print a line for each, and write build/trials.json."""
    parser = argparse.ArgumentParser(description="Faults put back into the code, each of which a test must notice.")
    parser.add_argument("--rows", type=int, help="how many rows, drawn by the seed; by default all")
    parser.add_argument("--only", nargs="*", help="these rows alone")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="by default a new one")
    options = parser.parse_args()
    every = table.load()
    possible = [each for each in every if each.edits and (not options.only or each.row in options.only)]
    drawn = random.Random(options.seed).sample(possible, min(options.rows or len(possible), len(possible)))
    checkout = Checkout.of(Path(), _FOLDER.absolute())
    outcomes = run(checkout, sorted(drawn, key=every.index))
    return report(outcomes, every, seed=options.seed)


def run(checkout: Checkout, trials: Sequence[Trial]) -> Mapping[str, str]:
    """Return the outcome of each row; raise AssertionError if the tests fail without any fault."""
    control = checkout.run(sorted({each.test for each in trials}))
    if not control.passed:
        raise AssertionError(f"without any fault:\n{control.output}")
    outcomes = {}
    for trial in trials:
        outcomes[trial.row] = _try(checkout, trial)
        print(f"{trial.row:4} {outcomes[trial.row]}: {trial.fault} ({trial.test})", flush=True)
    return outcomes


def _try(checkout: Checkout, trial: Trial) -> str:
    try:
        with checkout.edited(trial.edits):
            found = checkout.run([trial.test], to_the_first=True)
    except EditError as error:
        return f"CANNOT BE PUT BACK, {error}"
    return NOTICED if found.has_noticed else f"NOT NOTICED, pytest ended with {found.status}: {list(found.failures)}"


def report(outcomes: Mapping[str, str], every: Sequence[Trial], *, seed: int) -> int:
    """Print the sums and write them down; return the exit status."""
    noticed = sum(each == NOTICED for each in outcomes.values())
    documented = sum(bool(each.reason) for each in every)
    figures = {
        "seed": seed,
        "rows": len(every),
        "without edits": documented,
        "tried": len(outcomes),
        "noticed": noticed,
    }
    _REPORT.write_text(json.dumps(figures, indent=2))
    print(f"{noticed} of {len(outcomes)} faults are noticed, with --seed={seed}; {len(every)} rows in all")
    return int(noticed < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
