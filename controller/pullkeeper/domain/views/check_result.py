"""The doctor's findings: one line each, with the fix behind what is wrong."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How an item was found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not asked"


_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_ASKED: "-"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One precondition, and what was found."""

    what: str
    mark: Outcome
    found: str
    fix: str = ""

    def lines(self) -> Iterable[str]:
        """Write it for people."""
        yield f"{_SIGNS[self.mark]} {self.what}: {self.found}"
        if self.fix:
            yield f"    fix: {self.fix}"


Check = Callable[[], Awaitable[Sequence[CheckResult]]]
"""Whoever looks at one precondition, or at a few of a kind."""


def passed(what: str, found: str) -> CheckResult:
    """Note what is as it should be."""
    return CheckResult(what=what, mark=Outcome.PASSED, found=found)


def failed(what: str, found: str, fix: str = "") -> CheckResult:
    """Note what is not, and how to mend it."""
    return CheckResult(what=what, mark=Outcome.FAILED, found=found, fix=fix)


def skipped(what: str, why: str) -> CheckResult:
    """Note what was not looked at."""
    return CheckResult(what=what, mark=Outcome.NOT_ASKED, found=f"not asked, because {why}")


def all_passed(items: Iterable[CheckResult]) -> bool:
    """Whether nothing was found wrong."""
    return all(item.mark is not Outcome.FAILED for item in items)


def as_text(items: Sequence[CheckResult]) -> str:
    """Write the whole list, and the verdict under it."""
    wrong = sum(item.mark is Outcome.FAILED for item in items)
    verdict = f"{wrong} of {len(items)} must be mended" if wrong else "all is well"
    return "\n".join([*(line for item in items for line in item.lines()), "", verdict])


def as_document(items: Sequence[CheckResult]) -> Mapping[str, Any]:
    """Write the whole list for machines."""
    checks = [
        {"what": item.what, "result": item.mark.value, "found": item.found, **({"fix": item.fix} if item.fix else {})}
        for item in items
    ]
    return {"ok": all_passed(items), "checks": checks}
