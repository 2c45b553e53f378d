"""Counts the mutants of the domain that its unit tests notice: `python -m testsupport.mutation --sample 300`.

Exits with 1 if fewer are noticed than `--at-least` says.
"""

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from testsupport.mutation import runner
from testsupport.mutation.project import Mutant, prepare

_FOLDER, _REPORT = Path("build/mutation"), Path("build/mutants.json")
_PLUGINS = ("no:cacheprovider", "no:xdist", "no:cov", "no:timeout", "testsupport.mutation.runner")


def main() -> int:
    """Run all mutants, or a sample; print those that nobody notices, and write build/mutants.json."""
    parser = argparse.ArgumentParser(description="Mutation testing of controller/pullkeeper/domain.")
    parser.add_argument("--sample", type=int, help="how many mutants, drawn by the seed; by default all")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="by default a new one")
    parser.add_argument("--at-least", type=float, default=0.0, help="the share that has to be noticed")
    options = parser.parse_args()
    mutants = prepare(_FOLDER.absolute())
    drawn = random.Random(options.seed).sample(mutants, min(options.sample or len(mutants), len(mutants)))
    outcomes = run(drawn)
    share = _report(drawn, outcomes, seed=options.seed, of=len(mutants))
    return int(share < options.at_least)


def run(mutants: Sequence[Mutant]) -> dict[str, str]:
    """Run these mutants in the prepared copy; return the outcome of each by its name."""
    # A mutant that there is not is the function as it was: if that is "noticed", so would be anything.
    control = f"{mutants[0].name.partition('__mutmut_')[0]}__mutmut_0"
    (_FOLDER / runner.MUTANTS).write_text(json.dumps([control, *(mutant.name for mutant in mutants)]))
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--assert=plain", "-W", "ignore"]
    for plugin in _PLUGINS:
        command += ["-p", plugin]
    subprocess.run(command, cwd=_FOLDER, env=os.environ | {"MUTANT_UNDER_TEST": "stats"}, check=True)
    outcomes: dict[str, str] = json.loads((_FOLDER / runner.RESULTS).read_text())
    if (found := outcomes.pop(control)) in {runner.KILLED, runner.ENDLESS}:
        raise AssertionError(f"the function as it was is {found}")
    return outcomes


def _report(mutants: Sequence[Mutant], outcomes: dict[str, str], *, seed: int, of: int) -> float:
    """Print what survives and the sums; return the share that is noticed."""
    counts = Counter(outcomes.values())
    noticed = counts[runner.KILLED] + counts[runner.ENDLESS]
    for mutant in sorted(mutants, key=lambda each: each.function):
        if outcomes[mutant.name] not in {runner.KILLED, runner.ENDLESS}:
            print(f"{mutant.function} ({outcomes[mutant.name]}): {mutant.removed} -> {mutant.added}")
    share = noticed / len(mutants)
    figures = {"seed": seed, "mutants": of, "tried": len(mutants), "noticed": noticed, **dict(sorted(counts.items()))}
    _REPORT.write_text(json.dumps(figures, indent=2))
    print(f"{noticed:,} of {len(mutants):,} are noticed ({share:.1%}), with --seed={seed}; {of:,} in all")
    return share


if __name__ == "__main__":
    sys.exit(main())
