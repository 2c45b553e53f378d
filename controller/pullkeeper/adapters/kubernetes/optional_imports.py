"""Keeping a library from importing another one that it can do without."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_importable(module: str) -> Iterator[None]:
    """Let imports of a module fail while the block runs, unless it has been imported before."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # Python's own way to say so
    try:
        yield
    finally:
        del sys.modules[module]
