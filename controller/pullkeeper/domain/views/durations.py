"""Durations as text."""

from datetime import timedelta


def format_duration(duration: timedelta) -> str:
    """Format the absolute value of a duration by its two largest units, such as `1h30m`."""
    seconds = int(abs(duration).total_seconds())
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size}{unit}{f'{rest}{name}' if rest else ''}"
    return f"{seconds}s"
