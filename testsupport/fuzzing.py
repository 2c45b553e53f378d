"""Tries a check on many drawn inputs, each within bounds of work and memory that grow with the input only."""

import signal
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from pullkeeper.domain.errors.text import printable

_T = TypeVar("_T")
_HANGING = 20.0
"""Seconds of processor time after which an example is taken for endless; most take less than a millisecond."""
_CALLS, _CALLS_PER_CHARACTER = 30_000, 100
_BYTES, _BYTES_PER_CHARACTER = 4_000_000, 200
_LONGEST_LINE = 6_000
"""Characters of what is reported of one input: ten problems, each with what was found and what is expected."""


class EndlessError(Exception):
    """An example took so much processor time that it will hardly end."""


@dataclass(kw_only=True)
class Fuzzer:
    """Draws examples by a seed, and counts them."""

    seed: int
    examples: int
    """Of all checks together."""
    record: Callable[[str, int], None]
    """Gets the number of examples that were tried under a name."""

    def hold(self, name: str, share: float, inputs: SearchStrategy[_T], check: Callable[[_T], object]) -> None:
        """Try a check on its share of the examples; what it raises is a finding, and shown for the smallest input."""
        count = max(1, round(self.examples * share))
        tried = 0

        @seed(self.seed)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs)
        def hold(given: Any) -> None:
            nonlocal tried
            tried += 1
            # Memory is measured of a part only, since that takes several times as long.
            with bounded(_size(given), memory=tried % 20 == 0):
                check(given)

        try:
            hold()
        finally:
            self.record(name, tried)


@contextmanager
def bounded(size: int, *, memory: bool = False) -> Iterator[None]:
    """Bound the calls of functions and the bytes that the body may take for an input of this size."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = signal.signal(signal.SIGVTALRM, _give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, _HANGING)
    if memory:
        tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
        tracemalloc.stop()
    assert calls <= _CALLS + _CALLS_PER_CHARACTER * size, f"{calls:,} calls of functions for {size:,} characters"
    assert peak <= _BYTES + _BYTES_PER_CHARACTER * size, f"{peak:,} bytes for {size:,} characters"


def check_text(text: str) -> None:
    """Hold what is reported to one line, that nothing in it is invisible, and that it is of limited length."""
    assert text == printable(text), f"not printable: {text!r}"
    assert len(text) <= _LONGEST_LINE, f"{len(text):,} characters: {text[:300]}…"


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    raise EndlessError


def _size(given: object) -> int:
    if isinstance(given, str | bytes):
        return len(given)
    if isinstance(given, dict):
        return sum(_size(key) + _size(value) for key, value in given.items()) + 1
    if isinstance(given, list | tuple):
        return sum(map(_size, given)) + 1
    return 1
