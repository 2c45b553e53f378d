"""The end of trouble is told, to whoever waits for it."""

import logging

import pytest

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.reconcile.status_reporter import StatusReporter
from tests.unit.reconcile.test_status_reporter import DENIED, INVALID, SECRET, Ledger
from testsupport.virtual_time import now


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def report(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> StatusReporter:
    caplog.set_level(logging.INFO, "pullkeeper")
    return StatusReporter(ledger, ledger, clock=now)


async def test_trouble_that_ends_is_said_to_have_ended(ledger: Ledger, report: StatusReporter) -> None:
    """By an Event that names what was posted before, once."""
    for failures in ((DENIED,), (), ()):
        report.stands("a", SECRET, failures)
    assert ledger.posted[1:] == [("a", "Recovered", "AccessDenied: this is over")]


async def test_the_end_of_one_trouble_is_told_while_another_lasts(ledger: Ledger, report: StatusReporter) -> None:
    """Each has somebody who waits for it."""
    report.stands("a", SECRET, (DENIED, INVALID))
    report.stands("a", SECRET, (DENIED,))
    assert ("a", "Recovered", "InvalidAnnotation: this is over") in ledger.posted
    assert [reason for _, reason, _ in ledger.posted].count("Recovered") == 1


async def test_an_answer_of_another_kind_is_no_recovery(ledger: Ledger, report: StatusReporter) -> None:
    """While there is no token, there is none, whatever AWS says; the end names all that was said last."""
    throttled = Failure(reason=Reason.THROTTLED, message="wait")
    for failures in ((DENIED,), (throttled,), (DENIED, throttled), ()):
        report.stands("a", SECRET, failures)
    ends = [note for _, reason, note in ledger.posted if reason == "Recovered"]
    assert ends == ["AccessDenied and TokenFetchFailed: this is over"]


async def test_what_was_never_an_event_ends_without_one(
    ledger: Ledger, report: StatusReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Trouble with the API server is in the log alone."""
    away = Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="it does not answer")
    for failures in ((away,), ()):
        report.stands("a", SECRET, failures)
    assert ledger.posted == []
    assert len(caplog.messages) == 2
