"""The end of a failure is reported to whoever waits for it."""

import logging

import pytest

from pullkeeper.domain.errors.failures import Failure, Reason
from tests.unit.reconcile.reporter_harness import ReporterHarness
from tests.unit.reconcile.test_status_reporter import DENIED, INVALID, SECRET


@pytest.fixture
def harness(caplog: pytest.LogCaptureFixture) -> ReporterHarness:
    caplog.set_level(logging.INFO, "pullkeeper")
    return ReporterHarness()


async def test_recovery_is_an_event(harness: ReporterHarness) -> None:
    """It names what was posted before, once."""
    for failures in ((DENIED,), (), ()):
        harness.report("a", SECRET, *failures)
    assert harness.recorded.events[1:] == [("a", "Recovered", "AccessDenied: this is over")]


async def test_recovery_from_one_failure_is_reported_while_another_lasts(harness: ReporterHarness) -> None:
    """Each has somebody who waits for it."""
    harness.report("a", SECRET, DENIED, INVALID)
    harness.report("a", SECRET, DENIED)
    assert ("a", "Recovered", "InvalidAnnotation: this is over") in harness.recorded.events
    assert harness.reasons().count("Recovered") == 1


async def test_another_failure_of_the_same_kind_is_no_recovery(harness: ReporterHarness) -> None:
    """Without a token there is none, whatever AWS says; the end names all that was reported last."""
    throttled = Failure(reason=Reason.THROTTLED, message="wait")
    for failures in ((DENIED,), (throttled,), (DENIED, throttled), ()):
        harness.report("a", SECRET, *failures)
    ends = [note for _, reason, note in harness.recorded.events if reason == "Recovered"]
    assert ends == ["AccessDenied and TokenFetchFailed: this is over"]


async def test_failure_without_an_event_ends_without_one(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Failures of the API server are only logged."""
    away = Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="it does not answer")
    for failures in ((away,), ()):
        harness.report("a", SECRET, *failures)
    assert harness.recorded.events == []
    assert len(caplog.messages) == 2
