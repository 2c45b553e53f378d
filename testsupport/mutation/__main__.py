"""Counts the mutants of the domain that its unit tests notice: `python -m testsupport.mutation --sample 300`.

Outcomes are kept in build/mutants-kept.json for as long as a module and the files of its tests stay as they are, so
that all mutants can be run in several goes, by part or by module; what is left is run, and all is summed up.
Exits with 1 if fewer are noticed than `--at-least` says, or if survivors.yaml is not the list of those that are not.
"""

import argparse
import json
import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from testsupport.mutation import runner, survivors
from testsupport.mutation.fork import PYTEST
from testsupport.mutation.project import Mutant, modules, prepare

_FOLDER, _REPORT, _KEPT = Path("build/mutation"), Path("build/mutants.json"), Path("build/mutants-kept.json")


def main() -> int:
    """Run all mutants, a part or a sample; print those that nobody notices, and write build/mutants.json."""
    options = _options()
    chosen = {module for number, module in enumerate(modules()) if options.part(number) and options.modules(module)}
    mutants = prepare(_FOLDER.absolute(), chosen)
    drawn = random.Random(options.seed).sample(mutants, min(options.sample or len(mutants), len(mutants)))
    outcomes = run(drawn)
    share = _report(drawn, outcomes, seed=options.seed, of=len(mutants))
    problems = list(survivors.load().problems(mutants, outcomes, left_out=set(modules()) - chosen))
    print(*problems, sep="\n")
    return int(share < options.at_least or bool(problems))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Mutation testing of controller/pullkeeper/domain.")
    parser.add_argument("--sample", type=int, help="how many mutants, drawn by the seed; by default all")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="by default a new one")
    parser.add_argument(
        "--part", type=_part, default="1/1", help="such as 3/12: the third of twelve parts of the modules"
    )
    parser.add_argument("--modules", type=_prefixes, default="", help="such as ecr,kube.lease: below the domain")
    parser.add_argument("--at-least", type=float, default=0.0, help="the share that has to be noticed")
    return parser.parse_args()


def _part(text: str) -> Callable[[int], bool]:
    part, parts = map(int, text.split("/"))
    return lambda number: number % parts == part - 1


def _prefixes(text: str) -> Callable[[str], bool]:
    return lambda module: any(f"{module}.".startswith(f"{each}.") for each in text.split(",")) if text else True


def run(mutants: Sequence[Mutant]) -> dict[str, str]:
    """Run these mutants in the prepared copy, unless their outcome is kept; return the outcomes by key."""
    (_FOLDER / runner.MUTANTS).write_text(json.dumps([mutant.as_dict() for mutant in mutants]))
    (_FOLDER / runner.OUTCOMES).write_text(_KEPT.read_text() if _KEPT.exists() else "{}")
    try:
        subprocess.run([sys.executable, *PYTEST, "-p", "testsupport.mutation.runner"], cwd=_FOLDER, check=True)
    finally:
        _KEPT.write_text((_FOLDER / runner.OUTCOMES).read_text())
    kept = json.loads(_KEPT.read_text())
    return {mutant.key: kept[mutant.key]["outcome"] for mutant in mutants}


def _report(mutants: Sequence[Mutant], outcomes: dict[str, str], *, seed: int, of: int) -> float:
    """Print and write the sums; return the share that is noticed."""
    counts = Counter(outcomes.values())
    noticed = sum(counts[each] for each in runner.NOTICED)
    share = noticed / len(mutants)
    figures = {"seed": seed, "mutants": of, "tried": len(mutants), "noticed": noticed, **dict(sorted(counts.items()))}
    _REPORT.write_text(json.dumps(figures, indent=2))
    print(f"{noticed:,} of {len(mutants):,} are noticed ({share:.1%}), with --seed={seed}; {of:,} in all")
    return share


if __name__ == "__main__":
    sys.exit(main())
