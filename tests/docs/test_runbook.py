"""Every command of docs/runbook.md is typed by a test, or listed with the reason."""

from testsupport.runbook_page import NOT_TYPED, commands, is_typed


def test_what_is_listed_is_on_the_page() -> None:
    """A reason for a command that is gone excuses nothing."""
    assert [each for each in NOT_TYPED if not any(command.startswith(each) for command in commands())] == []


def test_the_page_is_taken_apart() -> None:
    """Commands in blocks, in lists and in sentences that wrap are found, and most of them are typed."""
    found = commands()
    assert "kubectl get pods -n pullkeeper-system" in found
    assert "helm rollback pullkeeper -n pullkeeper-system" in found
    assert "kubectl exec -n pullkeeper-system deploy/pullkeeper -- pullkeeper check --explain AccessDenied" in found
    assert len([each for each in found if is_typed(each)]) > 2 * len(NOT_TYPED)
