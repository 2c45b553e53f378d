"""How often one object was put right lately, and when it may be again: no two tools race each other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.secret.pull_secret import MANAGER

REPAIRS_AT_ONCE = 3
"""So many are made without a pause: a single edit or deletion is put right within seconds."""
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(minutes=5)
"""The object was left alone for so long: the fight is over."""
_MAX_WRITER = 100
_OF = " of "


@dataclass(frozen=True, kw_only=True, slots=True)
class Repairs:
    """The repairs of one object."""

    count: int = 0
    last_at: datetime | None = None
    by: str = ""
    """The field manager that made them necessary; a hint, because anybody may use any name."""

    def after(self, now: datetime, by: str) -> "Repairs":
        """Return what is known after one more repair."""
        count = self.count if self._is_recent(now) else 0
        return Repairs(count=count + 1, last_at=now, by=by or self.by)

    def resume_at(self, now: datetime) -> datetime | None:
        """Return when the next repair may be made; None for at once."""
        if self.last_at is None or not self.is_contested(now):
            return None
        at = self.last_at + min(FIRST_PAUSE * 2.0 ** min(self.count - REPAIRS_AT_ONCE, 16), LONGEST_PAUSE)
        # A clock that was set back must not make the pause longer.
        return at if now < at <= now + LONGEST_PAUSE else None

    def is_contested(self, now: datetime) -> bool:
        """Whether somebody keeps undoing what is written."""
        return self.count >= REPAIRS_AT_ONCE and self._is_recent(now)

    @property
    def forgotten_at(self) -> datetime | None:
        """When the fight is over if nothing more happens."""
        return self.last_at + FORGOTTEN_AFTER if self.last_at else None

    def _is_recent(self, now: datetime) -> bool:
        return self.last_at is not None and now - self.last_at < FORGOTTEN_AFTER


def last_writer(
    entries: Iterable[Mapping[str, Any]], touches: Callable[[Mapping[str, Any]], bool], installation: str = ""
) -> str:
    """Return the manager of the latest change of the fields that matter, or of any where nobody owns one.

    Of several within the same second it is one that is not ours. The name is escaped and of limited length. Ours comes
    with the name of the installation, as far as the object gives one.
    """
    found = [*entries]
    found = [each for each in found if touches(each.get("fieldsV1") or {})] or found
    latest = max(found, default={}, key=lambda each: (str(each.get("time") or ""), each.get("manager") != MANAGER))
    writer = str(latest.get("manager") or "")
    return f"{MANAGER}{_OF}{installation}" if writer == MANAGER and installation else printable(writer, _MAX_WRITER)


def writer_hint(writer: str) -> str:
    """Return who changed an object last, as far as its managedFields tell."""
    if writer.partition(_OF)[0] == MANAGER:
        return (
            f"last changed by the field manager {writer}: is there another installation of Pullkeeper with the same "
            "secretName?"
        )
    return f"last changed by the field manager {writer}" if writer else "managedFields do not tell who"
