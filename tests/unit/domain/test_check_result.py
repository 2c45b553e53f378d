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


MANY = [failed("permissions", f"missing: {number}", "grant it") for number in range(20)]


def test_in_short_it_fits_on_a_screen() -> None:
    """Lines of what needs nobody are cut, and of many results of one check the first are shown."""
    results = [passed("settings", "x" * 300), skipped("Lease", "y" * 300), *MANY, warned("fence", "z" * 300, "f" * 300)]
    lines = as_text(results, verbose=False).splitlines()
    assert [len(line) for line in lines[:2]] == [100, 100]
    assert all(line.endswith("…") for line in lines[:2])
    assert lines[2:9] == [
        *(line for number in range(3) for line in (f"✗ permissions: missing: {number}", "    fix: grant it")),
        "✗ permissions: and 17 more",
    ]
    assert [len(line) for line in lines[9:11]] == [len("! fence: ") + 300, len("    fix: ") + 300]
    assert lines[-1] == "20 of 23 checks failed; -v shows everything"
    assert len(as_text(results).splitlines()) == 2 + 2 * 20 + 2 + 2


def test_in_short_a_line_that_is_cut_can_be_had_whole() -> None:
    """Also where no result is left out."""
    results = [passed("settings", "x" * 300)]
    assert as_text(results, verbose=False).endswith("…\n\nno check failed; -v shows everything")
    assert as_text(results) == f"✓ settings: {'x' * 300}\n\nno check failed"


def test_in_short_nothing_is_left_out_where_it_is_short() -> None:
    """And then nothing else is to be asked for; results of other checks and outcomes are no more of the same."""
    results = [*RESULTS, *MANY[:3], passed("permissions", "the others")]
    assert as_text(results, verbose=False) == as_text(results)


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
