"""RFC 3339 timestamps of the Kubernetes API."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.kube.timestamps import Precision, format_timestamp, parse_timestamp

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("seconds", "2026-03-01T10:00:00Z"),
        ("milliseconds", "2026-03-01T10:00:00.123Z"),
        ("microseconds", "2026-03-01T10:00:00.123456Z"),
    ],
)
def test_timestamp_is_written_in_utc(precision: Precision, text: str) -> None:
    """Kubernetes takes times with microseconds as MicroTime only, and those without as Time."""
    assert format_timestamp(MOMENT, precision) == text


@given(st.datetimes(timezones=st.timezones()))
def test_written_timestamp_is_read_back(moment: datetime) -> None:
    """Nothing is lost at full precision, whatever the time zone."""
    assert parse_timestamp(format_timestamp(moment, "microseconds")) == moment.astimezone(UTC)


@pytest.mark.parametrize("text", ["2026-03-01T10:00:00", "2026-03-01", "soon", ""])
def test_timestamp_without_an_offset_is_rejected(text: str) -> None:
    """It would mean another moment on each machine."""
    with pytest.raises(ValueError, match=r"^(timestamp without an offset from UTC|Invalid isoformat string: '.*')$"):
        parse_timestamp(text)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine's own time zone be another than UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_the_time_zone_of_the_machine_does_not_matter() -> None:
    """What is written and what is read is in UTC."""
    assert format_timestamp(MOMENT) == "2026-03-01T10:00:00Z"
    assert parse_timestamp("2026-03-01T12:00:00+02:00").tzinfo is UTC
