"""RFC 3339 timestamps, as Kubernetes writes them."""

from datetime import UTC, datetime
from typing import Literal

Precision = Literal["seconds", "milliseconds", "microseconds"]


def format_timestamp(moment: datetime, precision: Precision = "seconds") -> str:
    """Format an aware time in UTC; a MicroTime of the Kubernetes API takes microseconds, any other time seconds."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime:
    """Parse a timestamp into UTC; raises ValueError, also for one without an offset from UTC."""
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("timestamp without an offset from UTC")
    return moment.astimezone(UTC)
