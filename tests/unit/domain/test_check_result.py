"""The results of `pullkeeper check`, for people and for machines."""

import pytest

from pullkeeper.domain.views.check_result import (
    CheckResult,
    all_passed,
    as_document,
    as_text,
    failed,
    passed,
    skipped,
    warned,
)

RESULTS = [
    passed("settings", "valid"),
    failed("permissions", "missing: list pods", "grant it"),
    failed("token", "none"),
    skipped("Lease", "leaderElection is off"),
    warned("fence", "none", "turn it on"),
]


def test_each_result_is_a_line_with_its_fix_below() -> None:
    """A tick, a cross, a dash or an exclamation mark, and the number of failures at the end."""
    assert as_text(RESULTS).splitlines() == [
        "✓ settings: valid",
        "✗ permissions: missing: list pods",
        "    fix: grant it",
        "✗ token: none",
        "- Lease: skipped: leaderElection is off",
        "! fence: none",
        "    fix: turn it on",
        "",
        "2 of 5 checks failed",
    ]


def test_the_document_says_the_same() -> None:
    """With a fix only where there is one."""
    assert as_document(RESULTS) == {
        "ok": False,
        "checks": [
            {"check": "settings", "outcome": "passed", "detail": "valid"},
            {"check": "permissions", "outcome": "failed", "detail": "missing: list pods", "fix": "grant it"},
            {"check": "token", "outcome": "failed", "detail": "none"},
            {"check": "Lease", "outcome": "skipped", "detail": "skipped: leaderElection is off"},
            {"check": "fence", "outcome": "warning", "detail": "none", "fix": "turn it on"},
        ],
    }


@pytest.mark.parametrize(("results", "verdict"), [(RESULTS, False), (RESULTS[:1] + RESULTS[3:], True), ([], True)])
def test_only_a_failed_check_is_a_failure(results: list[CheckResult], verdict: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A skipped check is not, nor is a warning."""
    assert all_passed(results) is verdict
    assert as_text(results).endswith("no check failed") is verdict


def test_text_from_outside_is_escaped() -> None:
    """A server's words may be in it."""
    hostile = "\x1b[2J\n✓ all is well\u202e"
    shown = as_text([failed("token", hostile, hostile)]).split("\n")
    assert len(shown) == 4
    assert all(line.isprintable() for line in shown)
