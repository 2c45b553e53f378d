"""Results of `pullkeeper check`: one line per check, with the fix for those that failed."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from pullkeeper.domain.errors.text import printable, shortened


class Outcome(StrEnum):
    """Outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    WARNING = "warning"
    """It works, and somebody should know what that costs."""


_WIDTH = 100
"""How long a line of a check that needs nobody may be."""
_MAX_SHOWN = 3
"""How many results of one check are shown, of those with the same outcome."""
_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "-", Outcome.WARNING: "!"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """Result of one check."""

    check: str
    outcome: Outcome
    detail: str
    fix: str = ""

    def as_lines(self, *, verbose: bool) -> Iterable[str]:
        """Return the result for people: one line, and a second one with the fix.

        Unless `verbose`, what needs nobody is shortened.
        """
        line = printable(f"{_MARKS[self.outcome]} {self.check}: {self.detail}")
        needs_nobody = self.outcome in {Outcome.PASSED, Outcome.SKIPPED}
        yield shortened(line, _WIDTH) if needs_nobody and not verbose else line
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


def as_text(results: Sequence[CheckResult], *, verbose: bool = True) -> str:
    """Return the results for people, with a summary at the end; unless `verbose`, so that they fit on a screen."""
    failures = sum(result.outcome is Outcome.FAILED for result in results)
    summary = f"{failures} of {len(results)} checks failed" if failures else "no check failed"
    lines = [line for group in _by_check(results) for line in _lines(group, verbose=verbose)]
    if not verbose and lines != list(_all_lines(results)):
        summary += "; -v shows everything"
    return "\n".join([*lines, "", summary])


def _by_check(results: Sequence[CheckResult]) -> Iterable[Sequence[CheckResult]]:
    """Return the neighbours that are results of the same check with the same outcome."""
    return [list(group) for _, group in groupby(results, key=lambda result: (result.check, result.outcome))]


def _lines(group: Sequence[CheckResult], *, verbose: bool) -> Iterable[str]:
    shown = group if verbose else group[:_MAX_SHOWN]
    for result in shown:
        yield from result.as_lines(verbose=verbose)
    if len(group) > len(shown):
        yield f"{_MARKS[group[0].outcome]} {group[0].check}: and {len(group) - len(shown):,} more"


def _all_lines(results: Sequence[CheckResult]) -> Iterable[str]:
    return (line for result in results for line in result.as_lines(verbose=True))


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
