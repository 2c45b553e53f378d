"""A plugin of pytest that runs for each mutant the tests that reach its function, in a fork of what collected them.

What costs most is to start pytest and to import; that is done once. Of the tests, those come first that have noticed
this mutant before or others of the same function, then the quickest; the first that fails is the last. What is called
when modules are imported has its effect by then: such a mutant that the fork's tests do not notice is imported anew.
"""

import gc
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from testsupport.mutation import fork
from testsupport.mutation.evidence import Evidence
from testsupport.mutation.switch import REACHED

MUTANTS, OUTCOMES = Path("mutants.json"), Path("outcomes.json")
"""Those to run; and by key, of earlier runs too, the outcome, the test that noticed it, a hash of what it rests on."""
KILLED, SURVIVED, ENDLESS, UNREACHED = "killed", "survived", "endless", "unreached"
NOTICED = {KILLED, ENDLESS}
_WORKERS = int(os.environ.get("MUTATION_WORKERS", "2"))
_SAVED_EVERY = 200
_TESTS = Path("tests.json")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run the mutants instead of the tests."""
    at_import = set(REACHED)
    items = {item.nodeid: item for item in session.items}
    fork.forget_shared()
    gc.freeze()
    recording = fork.start(lambda: _record_tests(items.values()))
    if os.waitstatus_to_exitcode(os.waitpid(recording, 0)[1]):
        raise pytest.UsageError("the tests fail without a mutant")
    known = json.loads(_TESTS.read_text())
    run = _Run(items, Evidence(known["tests"], at_import), known["seconds"])
    run.all(json.loads(MUTANTS.read_text()))
    return True


def _record_tests(items: Iterable[pytest.Item]) -> None:
    """Run each test once, with all the mutants off."""
    tests, seconds = defaultdict(list), {}
    for item in items:
        REACHED.clear()
        fork.forget_shared()
        started = time.process_time()
        if not fork.passes(item):
            print(f"{item.nodeid} fails without a mutant", file=sys.__stderr__)
            os._exit(1)
        seconds[item.nodeid] = time.process_time() - started
        for function in REACHED:
            tests[function].append(item.nodeid)
    _TESTS.write_text(json.dumps({"tests": tests, "seconds": seconds}))


class _Run:
    """Outcomes, with a few mutants running at a time."""

    def __init__(self, items: dict[str, pytest.Item], evidence: Evidence, seconds: dict[str, float]) -> None:
        self._items, self._evidence, self._seconds = items, evidence, seconds
        self._outcomes: dict[str, dict[str, str]] = json.loads(OUTCOMES.read_text())
        self._killers: dict[str, Counter[str]] = defaultdict(Counter)
        self._running: dict[int, dict[str, Any]] = {}

    def all(self, mutants: list[dict[str, Any]]) -> None:
        """Run what is not known yet, after functions as they were: if those are noticed, so would be anything."""
        at_import = [mutant for mutant in mutants if self._evidence.is_at_import(mutant)]
        for mutant in [*mutants[:1], *at_import[:1]]:
            self._control(mutant)
        for number, mutant in enumerate(mutants):
            self._start(mutant)
            if number % _SAVED_EVERY == 0:
                print(f"{number:,} of {len(mutants):,} mutants", file=sys.__stderr__, flush=True)
                self._save()
        while self._running:
            self._reap()
        self._save()

    def _control(self, mutant: dict[str, Any]) -> None:
        self._start(mutant | {"name": fork.NO_MUTANT, "key": fork.NO_MUTANT})
        self._reap()
        if (found := self._outcomes.pop(fork.NO_MUTANT)["outcome"]) in NOTICED:
            raise pytest.UsageError(f"{mutant['function']} as it was is {found}")

    def _save(self) -> None:
        OUTCOMES.write_text(json.dumps(self._outcomes))

    def _start(self, mutant: dict[str, Any]) -> None:
        """Begin a mutant, once there is room."""
        known = self._outcomes.get(mutant["key"], {})
        mutant["evidence"] = self._evidence.hash_for(mutant)
        if known.get("evidence") == mutant["evidence"]:
            return
        if len(self._running) >= _WORKERS:
            self._reap()
        tests = self._ordered(mutant, known.get("killer", ""))
        files = self._evidence.files_anew(mutant)
        self._running[fork.start(lambda: fork.run(mutant, tests, files))] = mutant

    def _ordered(self, mutant: dict[str, Any], killer: str) -> list[tuple[pytest.Item, float]]:
        """Return its tests in the order in which to run them, with what each takes."""
        killers = self._killers[mutant["function"]]
        tests = sorted(
            self._evidence.tests(mutant), key=lambda test: (test != killer, -killers[test], self._seconds[test])
        )
        return [(self._items[test], self._seconds[test]) for test in tests]

    def _reap(self) -> None:
        process, status = os.wait()
        mutant = self._running.pop(process)
        killer = fork.killer_of(process)
        outcome = self._outcome(mutant, os.waitstatus_to_exitcode(status))
        self._killers[mutant["function"]][killer] += 1
        self._outcomes[mutant["key"]] = {"outcome": outcome, "killer": killer, "evidence": mutant["evidence"]}

    def _outcome(self, mutant: dict[str, Any], code: int) -> str:
        if code < 0:
            return ENDLESS
        if code in fork.NOTICED:
            return KILLED
        if code != fork.PASSED:
            raise pytest.UsageError(f"the process of {mutant['key']} ended with {code}")
        return SURVIVED if self._evidence.tests(mutant) or self._evidence.is_at_import(mutant) else UNREACHED
