"""What the documents say about failures is what the code knows."""

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.views import explanation
from tools import failure_docs

RUNBOOK = failure_docs.RUNBOOK.read_text()


def test_the_runbook_has_the_current_table_of_reasons() -> None:
    """`make failure-docs` updates it."""
    assert failure_docs.updated(RUNBOOK) == RUNBOOK


@pytest.mark.parametrize("reason", Reason)
def test_a_changed_row_would_be_noticed(reason: Reason) -> None:
    """So the comparison above means something."""
    (line,) = (line for line in RUNBOOK.splitlines() if line.startswith(f"| `{reason}` |"))
    assert failure_docs.updated(RUNBOOK.replace(line, line[:-3])) == RUNBOOK


def test_the_page_of_failures_is_current() -> None:
    """`make failure-docs` writes it."""
    assert failure_docs.FAILURES.read_text() == failure_docs.page()


def test_the_page_has_every_cause() -> None:
    """Each is a row under its reason."""
    rows = [line for line in failure_docs.page().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(explanation.causes_of(reason)) for reason in Reason)


def test_a_runbook_without_the_markers_is_refused() -> None:
    """Rather than left as it is without a word."""
    with pytest.raises(ValueError, match="put them around the table"):
        failure_docs.updated("# Runbook")
