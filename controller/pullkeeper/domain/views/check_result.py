"""Results of `pullkeeper check`: one line per check, with the fix for those that failed."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pullkeeper.domain.errors.text import printable


class Outcome(StrEnum):
    """Outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    WARNING = "warning"
    """It works, and somebody should know what that costs."""


_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "-", Outcome.WARNING: "!"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """Result of one check."""

    check: str
    outcome: Outcome
    detail: str
    fix: str = ""

    def as_lines(self) -> Iterable[str]:
        """Return the result for people: one line, and a second one with the fix."""
        yield printable(f"{_MARKS[self.outcome]} {self.check}: {self.detail}")
        if self.fix:
            yield printable(f"    fix: {self.fix}")


Check = Callable[[], Awaitable[Sequence[CheckResult]]]
"""Runs one check, which may have several results."""


def passed(check: str, detail: str) -> CheckResult:
    """Return the result of a check that passed."""
    return CheckResult(check=check, outcome=Outcome.PASSED, detail=detail)


def failed(check: str, detail: str, fix: str = "") -> CheckResult:
    """Return the result of a check that failed, with the fix unless `detail` already states it."""
    return CheckResult(check=check, outcome=Outcome.FAILED, detail=detail, fix=fix)


def warned(check: str, detail: str, fix: str) -> CheckResult:
    """Return the result of a check that found nothing wrong, but something that should be known."""
    return CheckResult(check=check, outcome=Outcome.WARNING, detail=detail, fix=fix)


def skipped(check: str, reason: str) -> CheckResult:
    """Return the result of a check that did not run."""
    return CheckResult(check=check, outcome=Outcome.SKIPPED, detail=f"skipped: {reason}")


def all_passed(results: Iterable[CheckResult]) -> bool:
    """Return whether no check failed."""
    return all(result.outcome is not Outcome.FAILED for result in results)


def as_text(results: Sequence[CheckResult]) -> str:
    """Return all results for people, with a summary at the end."""
    failures = sum(result.outcome is Outcome.FAILED for result in results)
    summary = f"{failures} of {len(results)} checks failed" if failures else "no check failed"
    return "\n".join([*(line for result in results for line in result.as_lines()), "", summary])


def as_document(results: Sequence[CheckResult]) -> Mapping[str, Any]:
    """Return all results for machines."""
    checks = [
        {
            "check": result.check,
            "outcome": result.outcome.value,
            "detail": result.detail,
            **({"fix": result.fix} if result.fix else {}),
        }
        for result in results
    ]
    return {"ok": all_passed(results), "checks": checks}
