"""One mutant in a process of its own: its tests, each with a limit of processor time, until one fails."""

import functools
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from testsupport.mutation.switch import FUNCTION, MUTANT, switch_on

PASSED, FAILED = 0, 1
"""How the process ends, as pytest does; a signal is the limit."""
NOTICED = {FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
"""The last two are what tests that cannot be imported come to."""
NO_MUTANT = "none"
"""The function as it was."""
_WITHOUT = ("cacheprovider", "xdist", "cov", "timeout")
PYTEST = ("-m", "pytest", "-q", "-s", "--assert=plain", "-W", "ignore", *(f"-pno:{plugin}" for plugin in _WITHOUT))
_SECONDS, _TIMES, _SECONDS_ANEW = 3, 20, 120
"""What a test may take beyond a multiple of what it takes without a mutant; and all the tests with what they import."""
_MEMORY = 4 << 30
_ERROR = 70


def start(body: Callable[[], None]) -> int:
    """Run something in a fork, in silence; return its process."""
    process = os.fork()
    if process:
        return process
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    try:
        body()
        os._exit(PASSED)
    except BaseException as error:  # noqa: BLE001 -- a fork must not go on with what its parent does
        print(repr(error), file=sys.__stderr__)
        os._exit(_ERROR)


def run(mutant: dict[str, Any], tests: Sequence[tuple[pytest.Item, float]], files: Sequence[str]) -> None:
    """Run the tests of a mutant, and then these files in a new interpreter; end the process at the first that fails."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    function = f"pullkeeper.domain.{mutant['function']}"
    on = {FUNCTION: function, MUTANT: mutant["name"]} if mutant["name"] != NO_MUTANT else {}
    if on:
        switch_on(function, mutant["name"])
    forget_shared()
    for item, seconds in tests:
        # The signal that it sends ends the process.
        signal.setitimer(signal.ITIMER_PROF, _SECONDS + _TIMES * seconds)
        if not passes(item):
            _killer(os.getpid()).write_text(item.nodeid)
            os._exit(FAILED)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS_ANEW if files else 0)
    if files:
        os.execve(sys.executable, [sys.executable, *PYTEST, "-x", *files], os.environ | on)  # noqa: S606 -- this interpreter


def killer_of(process: int) -> str:
    """Return the test that failed in a process that has ended, if it left its name."""
    path = _killer(process)
    return path.read_text() if path.exists() else ""


def _killer(process: int) -> Path:
    return Path(f"killer-{process}")


def passes(item: pytest.Item) -> bool:
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


def forget_shared() -> None:
    """Empty the domain's caches, which would hide from a test what an earlier one has called."""
    for cache in _caches():
        cache.cache_clear()


@functools.cache
def _caches() -> "list[functools._lru_cache_wrapper[object]]":
    found = (each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper))  # noqa: SLF001
    return [each for each in found if each.__module__.startswith("pullkeeper.")]
