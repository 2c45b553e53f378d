"""Lengths of time, in words."""

from datetime import timedelta


def format_duration(length: timedelta) -> str:
    """Write a length of time as people say it: its two largest units."""
    seconds = int(abs(length).total_seconds())
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size}{unit}{f'{rest}{name}' if rest else ''}"
    return f"{seconds}s"
