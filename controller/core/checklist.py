"""The doctor's findings: one line each, with the fix behind what is wrong."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """How an item was found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not asked"


_SIGNS = {Mark.PASSED: "✓", Mark.FAILED: "✗", Mark.NOT_ASKED: "-"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One precondition, and what was found."""

    what: str
    mark: Mark
    found: str
    fix: str = ""

    def lines(self) -> Iterable[str]:
        """Write it for people."""
        yield f"{_SIGNS[self.mark]} {self.what}: {self.found}"
        if self.fix:
            yield f"    fix: {self.fix}"


Probe = Callable[[], Awaitable[Sequence[Item]]]
"""Whoever looks at one precondition, or at a few of a kind."""


def passed(what: str, found: str) -> Item:
    """Note what is as it should be."""
    return Item(what=what, mark=Mark.PASSED, found=found)


def failed(what: str, found: str, fix: str = "") -> Item:
    """Note what is not, and how to mend it."""
    return Item(what=what, mark=Mark.FAILED, found=found, fix=fix)


def not_asked(what: str, why: str) -> Item:
    """Note what was not looked at."""
    return Item(what=what, mark=Mark.NOT_ASKED, found=f"not asked, because {why}")


def well(items: Iterable[Item]) -> bool:
    """Whether nothing was found wrong."""
    return all(item.mark is not Mark.FAILED for item in items)


def as_text(items: Sequence[Item]) -> str:
    """Write the whole list, and the verdict under it."""
    wrong = sum(item.mark is Mark.FAILED for item in items)
    verdict = f"{wrong} of {len(items)} must be mended" if wrong else "all is well"
    return "\n".join([*(line for item in items for line in item.lines()), "", verdict])


def as_document(items: Sequence[Item]) -> Mapping[str, Any]:
    """Write the whole list for machines."""
    checks = [
        {"what": item.what, "result": item.mark.value, "found": item.found, **({"fix": item.fix} if item.fix else {})}
        for item in items
    ]
    return {"ok": well(items), "checks": checks}
