"""Who opted a namespace in."""

from enum import StrEnum


class OptIn(StrEnum):
    """What opted a namespace in; the pull Secret records it, because nothing else outlives a restart."""

    ANNOTATION = "annotation"
    """The Namespace itself, by `enabled: "true"`."""
    SETTINGS = "settings"
    """The installation, by `optIn`."""


def parse(text: str | None) -> OptIn | None:
    """Parse what a pull Secret says, which its tenant may have edited; None if it says nothing."""
    return OptIn(text) if text in tuple(OptIn) else None
