"""Writes to one pull Secret that somebody keeps undoing: repairs slow down, so that no two tools race each other."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Apply, Cause, Delete, Step
from pullkeeper.domain.secret.pull_secret import MANAGER

REPAIRS_AT_ONCE = 3
"""So many are made without a pause: a single edit or deletion is put right within seconds."""
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(minutes=5)
"""The Secret was left alone for so long: the fight is over."""

_REPAIRS = frozenset({Cause.CREATED, Cause.REPAIRED, Cause.CHANGED})
"""Causes of a write that somebody can bring about; a rotation is never slowed down."""
_DELETED = 0
"""Stands for the resourceVersion of a Secret that we deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoneWrites:
    """What was last written or deleted for a namespace, and how often somebody has undone it."""

    desired: DesiredState | None = None
    left_version: int | None = None
    """The resourceVersion that our last write left; None before the first one."""
    count: int = 0
    last_at: datetime | None = None
    """When it was last put right."""
    by: str = ""
    """The field manager that had undone it; a hint, because anybody may use any name."""

    def undoes(self, step: Step) -> bool:
        """Whether a step would only do once more what was done already for the same request."""
        match step:
            case Apply() if step.cause in _REPAIRS and self.left_version is not None:
                found = step.secret.resource_version if step.secret else _DELETED
                return self.desired == step.desired and found != self.left_version
            case Delete():
                return self.left_version == _DELETED
        return False

    def resume_at(self, step: Step, now: datetime) -> datetime | None:
        """Return when a step may be made; None for at once."""
        if not self.undoes(step) or not self.is_contested(now) or self.last_at is None:
            return None
        pause = min(FIRST_PAUSE * 2.0 ** min(self.count - REPAIRS_AT_ONCE, 16), LONGEST_PAUSE)
        at = self.last_at + pause
        # A clock that was set back must not make the pause longer.
        return at if now < at <= now + LONGEST_PAUSE else None

    def after(self, step: Apply | Delete, written: ObservedSecret | None, now: datetime) -> "UndoneWrites":
        """Return what is known after a step was made, which left this Secret."""
        again = self.undoes(step)
        count = self.count if self._is_recent(now) else 0
        return UndoneWrites(
            desired=step.desired if isinstance(step, Apply) else None,
            left_version=written.resource_version if written else _DELETED,
            count=count + again,
            last_at=now if again else self.last_at,
            by=(step.secret.writer if again and step.secret else "") or self.by,
        )

    def is_contested(self, now: datetime) -> bool:
        """Whether somebody keeps undoing what is written."""
        return self.count >= REPAIRS_AT_ONCE and self._is_recent(now)

    def forgotten_at(self) -> datetime | None:
        """Return when the fight is over if nothing more happens."""
        return self.last_at + FORGOTTEN_AFTER if self.last_at else None

    def failure(self, namespace: str) -> Failure:
        """Return the failure to report; who does it is a detail, so that it is reported once."""
        message = (
            f"namespace/{namespace}: somebody keeps undoing what is written to the pull Secret, so repairs wait up to "
            "a minute: stop the tool that does, or opt the namespace out"
        )
        return Failure(reason=Reason.WRITES_REVERTED, message=message, detail=writer_hint(self.by))

    def _is_recent(self, now: datetime) -> bool:
        return self.last_at is not None and now - self.last_at < FORGOTTEN_AFTER


def writer_hint(writer: str) -> str:
    """Return who changed a Secret last, as far as its managedFields tell."""
    if writer == MANAGER:
        return (
            f"last changed by the field manager {MANAGER}: is there another installation of Pullkeeper with the same "
            "secretName?"
        )
    return f"last changed by the field manager {writer}" if writer else "managedFields do not tell who"
