"""What stands where a function with mutants stood: it calls the one that is switched on.

mutmut's own reads the environment at each call, which is most of what a test of a pure function takes.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

MutantDict = dict[str, Callable[..., Any]]
"""The name that mutmut's generated modules import."""
FUNCTION, MUTANT = "MUTATED_FUNCTION", "MUTANT"
"""Environment variables: what is switched on before anything is imported."""
_ORIGINAL = "_mutmut_orig"

REACHED: set[str] = set()
"""Functions that have been called, by module and qualified name."""
_ON: dict[str, str] = {os.environ[FUNCTION]: os.environ[MUTANT]} if FUNCTION in os.environ else {}


def switch_on(function: str, mutant: str) -> None:
    """Run this mutant of a function from now on; one that there is not fails as soon as it is called."""
    _ON[function] = mutant


def switchable(mutants: MutantDict, is_classmethod: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: FBT001, FBT002 -- as generated modules call it
    """Decorate a function with its mutants, which are filled in once they are defined."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            REACHED.add(name)
            chosen: Any = mutants[_ON.get(name, _ORIGINAL)]
            return (chosen.__func__ if is_classmethod else chosen)(*args, **kwargs)

        return call

    return decorate
