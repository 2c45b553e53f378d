"""The status of the additional Secrets of a namespace as seen from outside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.shapes import shape_of
from pullkeeper.domain.views.secret_state import (
    StateAndProblems,
    is_unhealthy,
    late_state,
    refresh_at_of,
    state_of,
)

_DESELECTED = (
    "the settings do not ask for it here any more: it is deleted when `optOutGrace` has passed; "
    "have `additionalSecrets` select the namespace again to keep it"
)
_ORPHANED = "it is not asked for any more, but has not been deleted"

Observed = tuple[AdditionalSecret, ObservedSecret | None]
"""An additional Secret of the settings, and the Secret of that name in a namespace, ours or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdditionalStatus:
    """Status of one additional Secret in one namespace."""

    name: str
    registry: str
    state: State
    unhealthy: bool
    expires_at: datetime | None = None
    """When the token in it expires."""
    refresh_at: datetime | None = None
    """When the token is to be replaced; None where the refresh rule is not known."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the namespace asks for, and how it was judged."""

    namespace: ObservedNamespace
    desired: DesiredState | None
    """What the pull Secret should hold; None where nothing is asked for, or where it is invalid."""
    invalid: bool = False
    """Its additional Secrets are kept up as they are."""
    opt_in_lost: bool = False
    recent: bool = False
    """It has asked less than a minute ago."""


def additional_statuses(
    asked: Asked, observed: Sequence[Observed], rotation: Rotation | None, now: datetime
) -> Iterator[AdditionalStatus]:
    """Yield the status of each additional Secret that is wanted in a namespace, or that is there and ours."""
    for each, found in observed:
        secret = found.as_of(now) if found else None
        refresh_at = refresh_at_of(secret, rotation)
        if judged := _judged(asked, each, secret, refresh_at, now):
            state, problems = judged
            record = secret.record if secret and secret.managed else None
            yield AdditionalStatus(
                name=each.name,
                registry=each.registry.name,
                state=state,
                unhealthy=is_unhealthy(state, recent=asked.recent),
                expires_at=record.expires_at if record else None,
                refresh_at=refresh_at,
                problems=problems,
            )


def _judged(
    asked: Asked, each: AdditionalSecret, secret: ObservedSecret | None, refresh_at: datetime | None, now: datetime
) -> StateAndProblems | None:
    """Return state and problems; None where there is nothing to say."""
    is_selected = each.namespaces.matches(asked.namespace)
    desired = asked.desired.limited_to(each.registry) if asked.desired and is_selected else None
    if desired and secret:
        return state_of(secret, desired, shape_of(each), refresh_at, now)
    if desired:
        return State.PENDING, ("it is not there yet",)
    if secret is None or not secret.managed:
        return None
    if asked.invalid:
        late = late_state(secret.record, shape_of(each), refresh_at, now) if secret.record else None
        return late or (State.READY, ())
    waits = asked.opt_in_lost or (asked.desired is not None and not is_selected)
    return (State.OPTING_OUT, (_DESELECTED,)) if waits else (State.ORPHANED, (_ORPHANED,))
