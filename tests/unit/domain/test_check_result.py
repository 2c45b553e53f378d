"""The doctor's findings, in words and for machines."""

import pytest

from pullkeeper.domain.views.check_result import CheckResult, all_passed, as_document, as_text, failed, passed, skipped

ITEMS = [
    passed("settings", "valid"),
    failed("rights", "no right to walk", "grant it"),
    failed("token", "none"),
    skipped("Lease", "leaderElection is off"),
]


def test_each_item_is_a_line_with_its_fix_under_it() -> None:
    """A tick, a cross or a dash, and the count of what must be mended at the end."""
    assert as_text(ITEMS).splitlines() == [
        "✓ settings: valid",
        "✗ rights: no right to walk",
        "    fix: grant it",
        "✗ token: none",
        "- Lease: not asked, because leaderElection is off",
        "",
        "2 of 4 must be mended",
    ]


def test_the_document_says_the_same() -> None:
    """A fix stands there only where there is one."""
    assert as_document(ITEMS) == {
        "ok": False,
        "checks": [
            {"what": "settings", "result": "passed", "found": "valid"},
            {"what": "rights", "result": "failed", "found": "no right to walk", "fix": "grant it"},
            {"what": "token", "result": "failed", "found": "none"},
            {"what": "Lease", "result": "not asked", "found": "not asked, because leaderElection is off"},
        ],
    }


@pytest.mark.parametrize(("items", "verdict"), [(ITEMS, False), (ITEMS[:1] + ITEMS[3:], True), ([], True)])
def test_only_a_cross_makes_it_ill(items: list[CheckResult], verdict: bool) -> None:  # noqa: FBT001 -- a column of the table
    """What was not asked is no trouble."""
    assert all_passed(items) is verdict
    assert as_text(items).endswith("all is well") is verdict
