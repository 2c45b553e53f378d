"""A plugin of pytest that runs for each mutant the tests that reach its function, in a fork of what collected them.

What costs most is to start pytest and to import; that is done once.
"""

import functools
import gc
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

MUTANTS, REACHED, RESULTS = Path("mutants.json"), Path("reached.json"), Path("results.json")
"""Names to run; which tests reach which function, and for how long; name to outcome."""
KILLED, SURVIVED, ENDLESS, UNREACHED, AT_IMPORT = "killed", "survived", "endless", "unreached", "at import"
_PROCESSOR_SECONDS = 10
"""What a mutant may take beyond ten times of what its tests take."""
_WORKERS = int(os.environ.get("MUTATION_WORKERS", "2"))


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run the mutants instead of the tests."""
    at_import = sorted(state()._stats)  # noqa: SLF001 -- mutmut offers no other way
    items = {item.nodeid: item for item in session.items}
    _caches()
    if not REACHED.exists():
        status = _in_fork(lambda: _record_reached(items.values(), at_import))
        if os.waitstatus_to_exitcode(os.waitpid(status, 0)[1]):
            raise pytest.UsageError("the tests fail without a mutant")
    reached = json.loads(REACHED.read_text())
    results = _Results(items, reached)
    for name in json.loads(MUTANTS.read_text()):
        results.start(name)
    results.finish()
    RESULTS.write_text(json.dumps(results.outcomes))
    return True


def _record_reached(items: Iterable[pytest.Item], at_import: list[str]) -> None:
    """Run each test once, with all the mutants off."""
    set_mutant_under_test("stats")
    tests, seconds = defaultdict(list), {}
    for item in items:
        state()._stats.clear()  # noqa: SLF001
        _forget_shared()
        started = time.process_time()
        if not _passes(item):
            print(f"{item.nodeid} fails without a mutant", file=sys.__stderr__)
            os._exit(1)
        seconds[item.nodeid] = time.process_time() - started
        for function in state()._stats:  # noqa: SLF001
            tests[function].append(item.nodeid)
    REACHED.write_text(json.dumps({"tests": tests, "seconds": seconds, "at import": at_import}))


class _Results:
    """Outcomes, with a few mutants running at a time."""

    def __init__(self, items: dict[str, pytest.Item], reached: dict[str, dict[str, object]]) -> None:
        self.outcomes: dict[str, str] = {}
        self._items = items
        self._tests: dict[str, list[str]] = reached["tests"]  # type: ignore[assignment]
        self._seconds: dict[str, float] = reached["seconds"]  # type: ignore[assignment]
        self._at_import = set(reached["at import"])
        self._running: dict[int, str] = {}

    def start(self, name: str) -> None:
        """Begin a mutant, once there is room."""
        function = name.partition("__mutmut_")[0]
        tests = sorted(self._tests.get(function, []), key=self._seconds.__getitem__)
        if function in self._at_import:
            self.outcomes[name] = AT_IMPORT
        if not tests:
            self.outcomes.setdefault(name, UNREACHED)
            return
        if len(self._running) >= _WORKERS:
            self._reap()
        limit = _PROCESSOR_SECONDS + 10 * int(sum(map(self._seconds.__getitem__, tests)))
        self._running[_in_fork(lambda: self._run(name, tests, limit))] = name

    def finish(self) -> None:
        """Wait for those that still run."""
        while self._running:
            self._reap()

    def _run(self, name: str, tests: list[str], limit: int) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        set_mutant_under_test(name)
        _forget_shared()
        for test in tests:
            if not _passes(self._items[test]):
                os._exit(1)

    def _reap(self) -> None:
        process, status = os.wait()
        name = self._running.pop(process)
        code = os.waitstatus_to_exitcode(status)
        outcome = SURVIVED if code == 0 else KILLED if code == 1 else ENDLESS
        if outcome != SURVIVED or name not in self.outcomes:
            self.outcomes[name] = outcome
        if len(self.outcomes) % 200 == 0:
            print(f"{len(self.outcomes):,} mutants", file=sys.__stderr__, flush=True)


def _in_fork(body: Callable[[], None]) -> int:
    process = os.fork()
    if process:
        return process
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    try:
        body()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 -- a fork must not go on with what its parent does
        print(repr(error), file=sys.__stderr__)
        os._exit(3)


def _passes(item: pytest.Item) -> bool:
    """Run one test without reporting."""
    setup = item.session._setupstate  # noqa: SLF001 -- what pytest's own runner calls
    try:
        setup.setup(item)
        item.runtest()
    except pytest.skip.Exception:
        return True
    except BaseException:  # noqa: BLE001 -- whatever it is, the test has noticed
        return False
    finally:
        try:
            setup.teardown_exact(None)
        except BaseException:  # noqa: BLE001
            return False
    return True


def _forget_shared() -> None:
    """Empty the domain's caches, which would hide from a test what an earlier one has called."""
    for cache in _caches():
        cache.cache_clear()


@functools.cache
def _caches() -> "list[functools._lru_cache_wrapper[object]]":
    found = (each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper))  # noqa: SLF001
    return [each for each in found if each.__module__.startswith("pullkeeper.")]
