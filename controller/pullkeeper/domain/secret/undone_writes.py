"""Writes to one pull Secret that somebody keeps undoing: a repair is what was done before, for the same request."""

from dataclasses import dataclass, field
from datetime import datetime

from pullkeeper.domain.errors.failures import Failure, Reason
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Apply, Cause, Delete, Step
from pullkeeper.domain.secret.repairs import Repairs, writer_hint

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
    repairs: Repairs = field(default_factory=Repairs)

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
        return self.repairs.resume_at(now) if self.undoes(step) else None

    def after(self, step: Apply | Delete, written: ObservedSecret | None, now: datetime) -> "UndoneWrites":
        """Return what is known after a step was made, which left this Secret."""
        writer = step.secret.writer if step.secret else ""
        return UndoneWrites(
            desired=step.desired if isinstance(step, Apply) else None,
            left_version=written.resource_version if written else _DELETED,
            repairs=self.repairs.after(now, writer) if self.undoes(step) else self.repairs,
        )

    def failure(self, namespace: str, noun: str) -> Failure:
        """Return the failure to report; who does it is a detail, so that it is reported once."""
        message = (
            f"namespace/{namespace}: somebody keeps undoing what is written to {noun}, so repairs wait up to a minute: "
            "stop the tool that does, or opt the namespace out"
        )
        return Failure(reason=Reason.WRITES_REVERTED, message=message, detail=writer_hint(self.repairs.by))
