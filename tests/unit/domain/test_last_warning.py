"""Warnings, parsed from Events."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.domain.reporting.last_warning import LastWarning, last_warning

MADE = "2026-03-01T08:00:00Z"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "hour"),
    [
        ({}, 8),
        ({"eventTime": None, "series": None}, 8),
        ({"eventTime": "2026-03-01T09:00:00.000001Z"}, 9),
        ({"eventTime": "2026-03-01T09:00:00Z", "series": {"count": 2, "lastObservedTime": "2026-03-01T10:00:00Z"}}, 10),
    ],
)
def test_a_warning_has_the_time_of_its_last_occurrence(event: dict[str, Any], hour: int) -> None:
    """From the series if there is one, else from the Event itself."""
    metadata = {"namespace": "team-a", "creationTimestamp": MADE}
    found = last_warning({**event, "metadata": metadata, "reason": "AccessDenied", "note": "grant it"}, NOW)
    assert found is not None
    assert found.at.replace(minute=0, second=0, microsecond=0) == datetime(2026, 3, 1, hour, tzinfo=UTC)
    assert found == LastWarning(namespace="team-a", reason="AccessDenied", note="grant it", at=found.at)


def test_an_event_without_reason_and_note_is_parsed() -> None:
    """Anybody can create one."""
    found = last_warning({"metadata": {"namespace": "a", "creationTimestamp": MADE}}, NOW)
    assert found is not None
    assert (found.reason, found.note) == ("", "")


def forged(time: str, **fields: str) -> LastWarning | None:
    return last_warning({"metadata": {"namespace": "a", "creationTimestamp": MADE}, "eventTime": time, **fields}, NOW)


@pytest.mark.parametrize("time", ["2099-01-01T00:00:00Z", "2026-03-01T12:05:01Z", "0000-01-01T00:00:00Z", "x", "2026"])
def test_an_event_of_no_possible_time_is_ignored(time: str) -> None:
    """One from the future would be the last warning for ever."""
    assert forged(time) is None
    series = {"series": {"count": 2, "lastObservedTime": time}}
    assert last_warning({"metadata": {"namespace": "a"}, "eventTime": MADE, **series}, NOW) is None


@pytest.mark.parametrize("time", ["2026-03-01T12:00:01Z", "2026-03-01T12:05:00Z"])
def test_the_controllers_clock_may_be_ahead(time: str) -> None:
    """By up to five minutes; the warning then counts as new."""
    found = forged(time)
    assert found is not None
    assert found.at == NOW


def test_text_of_an_event_is_escaped_and_shortened() -> None:
    """Whoever may create Events in the namespace may write it."""
    found = forged(MADE, reason="\x1b]0;x\x07" * 50, note="\x1b[2J\nready\u202e" * 500)
    assert found is not None
    assert (len(found.reason), len(found.note)) == (128, 1024)
    assert f"{found.reason}{found.note}".isprintable()
