"""Warnings, parsed from Events."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.domain.reporting.last_warning import LastWarning, last_warning

MADE = "2026-03-01T08:00:00Z"


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
    found = last_warning({**event, "metadata": metadata, "reason": "AccessDenied", "note": "grant it"})
    assert found.at.replace(minute=0, second=0, microsecond=0) == datetime(2026, 3, 1, hour, tzinfo=UTC)
    assert found == LastWarning(namespace="team-a", reason="AccessDenied", note="grant it", at=found.at)


def test_an_event_without_reason_and_note_is_parsed() -> None:
    """Anybody can create one."""
    found = last_warning({"metadata": {"namespace": "a", "creationTimestamp": MADE}})
    assert (found.reason, found.note) == ("", "")
